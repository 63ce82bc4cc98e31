-- The format of this database, and the lowest format a build must know to open it. A build opens what its own format is not below; tables
-- and columns it does not know are left alone. `min_reader` rises one version after the build that first reads the new form.
CREATE TABLE formats (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    format INTEGER NOT NULL,
    min_reader INTEGER NOT NULL
) STRICT;

INSERT INTO formats VALUES (1, 2, 2);
