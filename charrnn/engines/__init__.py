"""The recurrent stack over one window, fast: one interface, several makers."""
