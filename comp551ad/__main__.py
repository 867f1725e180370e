"""The command line: `python -m comp551ad`.

Each command is a module with `add_arguments(parser)` and `main(chosen)`. Optional packages
(nbformat, IPython, nbconvert) are imported only when a command runs. Errors that a command
raises are printed here.
"""

import argparse
import sys

from . import lectures, site
from .exercises import catalogue, notebooks, release
from .exercises.grade import command as grade
from .exercises.grade import gradescope
from .extras import MissingExtra

COMMANDS = {
    "exercises": (notebooks, "make the exercise notebooks from the solved ones"),
    "grade": (grade, "mark submissions, and write tables and feedback pages"),
    "gradescope": (gradescope, "make the zip file for a Gradescope autograder"),
    "lectures": (lectures, "copy the course into a folder and open it in JupyterLab"),
    "release": (release, "write the course for students, without solutions"),
    "site": (site, "write the course as static web pages"),
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m comp551ad")
    parser.add_argument(
        "--own",
        action="append",
        metavar="DIR",
        help="a folder with exercises of your own (see the README)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, does) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=does, description=does))
    chosen = parser.parse_args(arguments)
    if chosen.own:
        catalogue.use_folders(chosen.own)
    try:
        return COMMANDS[chosen.command][0].main(chosen)
    except (MissingExtra, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
