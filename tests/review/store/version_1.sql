-- A database file as version 1 of the schema left it.
BEGIN TRANSACTION;
CREATE TABLE check_ (
	number INTEGER NOT NULL, 
	mask INTEGER NOT NULL, 
	mask_version INTEGER NOT NULL, 
	reviewer INTEGER NOT NULL, 
	verdict TEXT NOT NULL, 
	comment TEXT NOT NULL, 
	marks_json TEXT NOT NULL, 
	created TEXT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (mask, mask_version), 
	CHECK (verdict IN ('accepted', 'returned')), 
	FOREIGN KEY(mask) REFERENCES mask (number), 
	FOREIGN KEY(reviewer) REFERENCES reviewer (number)
);
INSERT INTO "check_" VALUES(1,1,3,2,'returned','more','[{"x": 3, "y": 4, "kind": "missing", "comment": ""}]','2026-03-01T10:00:03.000+00:00');
CREATE TABLE gold (
	place INTEGER NOT NULL, 
	score INTEGER, 
	PRIMARY KEY (place), 
	FOREIGN KEY(place) REFERENCES sample (place)
);
CREATE TABLE lease (
	place INTEGER NOT NULL, 
	reviewer INTEGER NOT NULL, 
	until TEXT NOT NULL, 
	PRIMARY KEY (place, reviewer), 
	FOREIGN KEY(place) REFERENCES sample (place), 
	FOREIGN KEY(reviewer) REFERENCES reviewer (number)
);
INSERT INTO "lease" VALUES(1,1,'2999-01-01T00:00:00.000+00:00');
INSERT INTO "lease" VALUES(2,2,'2026-03-01T00:00:00.000+00:00');
CREATE TABLE mask (
	number INTEGER NOT NULL, 
	place INTEGER NOT NULL, 
	reviewer INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	actions INTEGER NOT NULL, 
	seconds FLOAT NOT NULL, 
	created TEXT NOT NULL, 
	updated TEXT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (place, reviewer), 
	CHECK (status IN ('draft', 'submitted', 'returned', 'accepted')), 
	FOREIGN KEY(place) REFERENCES sample (place), 
	FOREIGN KEY(reviewer) REFERENCES reviewer (number)
);
INSERT INTO "mask" VALUES(1,0,1,4,'submitted',7,12.5,'2026-03-01T10:00:02.000+00:00','2026-03-01T10:00:04.000+00:00');
CREATE TABLE mask_save (
	mask INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	PRIMARY KEY (mask, "key"), 
	FOREIGN KEY(mask) REFERENCES mask (number)
);
INSERT INTO "mask_save" VALUES(1,'k1',2);
CREATE TABLE mask_tile (
	mask INTEGER NOT NULL, 
	"row" INTEGER NOT NULL, 
	"column" INTEGER NOT NULL, 
	content BLOB NOT NULL, 
	PRIMARY KEY (mask, "row", "column"), 
	FOREIGN KEY(mask) REFERENCES mask (number)
);
INSERT INTO "mask_tile" VALUES(1,0,0,X'789CFBCF300A46018D0013296054EFA85E22F58E8251300A46C110000005BE0484');
CREATE TABLE patch (
	place INTEGER NOT NULL, 
	reviewer INTEGER NOT NULL, 
	rows INTEGER NOT NULL, 
	columns INTEGER NOT NULL, 
	cells BLOB NOT NULL, 
	version INTEGER NOT NULL, 
	seconds FLOAT NOT NULL, 
	created TEXT NOT NULL, 
	updated TEXT NOT NULL, 
	PRIMARY KEY (place, reviewer, rows, columns), 
	FOREIGN KEY(place) REFERENCES sample (place), 
	FOREIGN KEY(reviewer) REFERENCES reviewer (number)
);
INSERT INTO "patch" VALUES(2,1,2,2,X'90',3,9.0,'2026-03-01T10:00:02.000+00:00','2026-03-01T10:00:03.000+00:00');
CREATE TABLE project (
	number INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	classes_json TEXT NOT NULL, 
	created TEXT NOT NULL, 
	PRIMARY KEY (number), 
	CHECK (number = 1)
);
INSERT INTO "project" VALUES(1,'queue','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','{"names": ["background", "cat", "dog"], "ids": [0, 3, 7], "background": 0, "ignore": 255}','2026-03-01T10:00:00.000+00:00');
CREATE TABLE rating (
	number INTEGER NOT NULL, 
	place INTEGER NOT NULL, 
	reviewer INTEGER NOT NULL, 
	showing INTEGER NOT NULL, 
	score INTEGER, 
	out_of_domain BOOLEAN NOT NULL, 
	seconds FLOAT NOT NULL, 
	created TEXT NOT NULL, 
	withdrawn TEXT, 
	PRIMARY KEY (number), 
	CHECK ((score IS NULL) = out_of_domain), 
	CHECK (score BETWEEN 1 AND 5), 
	FOREIGN KEY(place) REFERENCES sample (place), 
	FOREIGN KEY(reviewer) REFERENCES reviewer (number)
);
INSERT INTO "rating" VALUES(1,0,1,0,2,0,2.5,'2026-03-01T10:00:02.000+00:00','2026-03-01T10:00:05.000+00:00');
INSERT INTO "rating" VALUES(2,0,1,0,3,0,2.5,'2026-03-01T10:00:02.000+00:00',NULL);
INSERT INTO "rating" VALUES(3,1,1,0,NULL,1,2.5,'2026-03-01T10:00:02.000+00:00',NULL);
INSERT INTO "rating" VALUES(4,0,2,0,5,0,2.5,'2026-03-01T10:00:02.000+00:00',NULL);
CREATE TABLE reviewer (
	number INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	token_hash TEXT, 
	seed INTEGER NOT NULL, 
	created TEXT NOT NULL, 
	revoked TEXT, 
	PRIMARY KEY (number), 
	CHECK (role IN ('reviewer', 'checker', 'admin')), 
	UNIQUE (name), 
	UNIQUE (token_hash)
);
INSERT INTO "reviewer" VALUES(1,'Ann','reviewer',NULL,0,'2026-03-01T10:00:01.000+00:00',NULL);
INSERT INTO "reviewer" VALUES(2,'Bob','checker',NULL,1,'2026-03-01T10:00:01.000+00:00',NULL);
CREATE TABLE sample (
	place INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	height INTEGER NOT NULL, 
	width INTEGER NOT NULL, 
	PRIMARY KEY (place), 
	UNIQUE (id)
);
INSERT INTO "sample" VALUES(0,'s000',40,60);
INSERT INTO "sample" VALUES(1,'s001',40,60);
INSERT INTO "sample" VALUES(2,'s002',40,60);
CREATE TABLE schema_version (
	number INTEGER NOT NULL, 
	name TEXT, 
	applied TEXT, 
	PRIMARY KEY (number)
);
INSERT INTO "schema_version" VALUES(1,'start','2026-11-22T15:01:12.007+00:00');
CREATE TABLE session (
	key_hash TEXT NOT NULL, 
	reviewer INTEGER NOT NULL, 
	created TEXT NOT NULL, 
	expires TEXT NOT NULL, 
	PRIMARY KEY (key_hash), 
	FOREIGN KEY(reviewer) REFERENCES reviewer (number)
);
CREATE UNIQUE INDEX rating_live ON rating (reviewer, place, showing) WHERE withdrawn IS NULL;
CREATE INDEX rating_of_place ON rating (showing, place, out_of_domain) WHERE withdrawn IS NULL;
COMMIT;
