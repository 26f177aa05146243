"""`python -m greencode_lsp.cli`, which is what `accelerate launch -m` wants."""

from greencode_lsp.cli.main import main

if __name__ == "__main__":
    main()
