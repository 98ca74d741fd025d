"""Everwarm within other libraries: one module for each, none of which `everwarm` itself imports."""
