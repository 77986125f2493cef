"""The same small site for Flask and gunicorn (WSGI), and for uvicorn (ASGI)."""


def wsgi(_environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"python-shop\n"]


async def asgi(scope, _receive, send):
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"python-shop\n"})


def create_app():
    from flask import Flask

    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "python-shop\n")
    return app
