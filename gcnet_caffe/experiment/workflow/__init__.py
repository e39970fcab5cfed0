"""The Snakefile of `gcnet run`, and Snakemake started by `python -m` so that it ends with us."""
