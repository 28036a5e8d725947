"""The versions of the schema, one module each, `0001_start` first; a module that was released is never changed again."""
