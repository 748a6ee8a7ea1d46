FLASK_APP=cli.py
