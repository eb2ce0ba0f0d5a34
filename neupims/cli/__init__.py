"""The door: parse what was asked, call the library, print what it says.

Modules of this room that are imported at start import typer alone, so that `neupims --help` is quick.
"""
