-- PostgreSQL gives up the reference from a timeline to its letter here, which costs it a lookup and a lock for every
-- line. On SQLite it costs next to nothing, and to drop it a table would have to be written anew: it stays.
SELECT 1;
