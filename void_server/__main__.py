"""The `void` command, and what it says where the server's packages are not installed."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from void_server.cli import app
    except ModuleNotFoundError as error:
        sys.exit(
            f"void: {error.name} is not installed: install the server's packages, `pip install 'void-for-nuke[server]'`"
        )
    app()


if __name__ == "__main__":
    main()
