"""`python -m neupims` is `neupims`."""

from neupims.cli.app import main

if __name__ == "__main__":
    main()
