"""The engines: each runs the recurrent stack over one window, behind one interface."""
