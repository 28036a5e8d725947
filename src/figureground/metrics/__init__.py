"""What is measured: pure functions of arrays and small tables. No files, no networks, no warnings; undefined is NaN."""
