"""Records: what one run measured (schema, parts), on disk (store, typed), which of them count (latest), the machine
(environment), what may be compared (comparable)."""
