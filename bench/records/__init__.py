"""Records: what one run measured (schema), on disk (store), on which machine (environment), comparable with what."""
