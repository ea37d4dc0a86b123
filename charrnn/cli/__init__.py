"""The command line: the only code that prints, and the only code that knows typer, rich or tqdm."""
