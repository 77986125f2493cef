//! Python: modules, files, and the tools that run them.

use super::*;

#[test]
fn python_is_looked_through() {
    check(
        r#"
        django: python manage.py runserver => python manage.py runserver 3001
        django: ./manage.py runserver 0.0.0.0:8000 => ./manage.py runserver 0.0.0.0:3001
        django: python3.12 -u manage.py runserver '[::1]:8000' => python3.12 -u manage.py runserver '[::1]:3001'
        django: manage.py runserver --noreload 8000 => manage.py runserver --noreload 3001
        django: manage.py runserver --settings x 8000 => manage.py runserver --settings x 3001
        django: manage.py runserver -v 2 => manage.py runserver -v 2 3001
        django: manage.py runserver localhost => manage.py runserver localhost 3001
        -: python manage.py migrate
        django: python -m django runserver => python -m django runserver 3001
        django: django-admin runserver => django-admin runserver 3001
        flask: flask --app hello run => flask --app hello run --port 3001
        flask: flask --debug run -p 1 => flask --debug run -p 3001
        -: flask routes
        flask: python -X dev -m flask run => python -X dev -m flask run --port 3001
        uvicorn: uvicorn app:app --reload => uvicorn app:app --reload --port 3001
        uvicorn: python -muvicorn app:app => python -muvicorn app:app --port 3001
        gunicorn: gunicorn app:app => gunicorn app:app -b 127.0.0.1:3001
        gunicorn: gunicorn -b 0.0.0.0:8000 app:app => gunicorn -b 0.0.0.0:3001 app:app
        gunicorn: gunicorn -b :8000 app:app => gunicorn -b :3001 app:app
        gunicorn: gunicorn -b 0.0.0.0 app:app => gunicorn -b 0.0.0.0:3001 app:app
        gunicorn: gunicorn -b unix:/x app:app
        waitress: waitress-serve app:app => waitress-serve --port=3001 app:app
        http.server: python -m http.server => python -m http.server 3001
        http.server: python -um http.server 8000 -d x => python -um http.server 3001 -d x
        http.server: python -m http.server -b 127.0.0.1 => python -m http.server -b 127.0.0.1 3001
        -: python -c 'import x'
        -: python app.py
        flask: uv run flask run => uv run flask run --port 3001
        flask: uv run --with flask -- flask run => uv run --with flask -- flask run --port 3001
        django: uv run python manage.py runserver => uv run python manage.py runserver 3001
        django: uv run manage.py runserver => uv run manage.py runserver 3001
        uvicorn: uv run -m uvicorn app:app => uv run -m uvicorn app:app --port 3001
        uvicorn: uvx uvicorn@0.30 app:app => uvx uvicorn@0.30 app:app --port 3001
        flask: poetry run flask run => poetry run flask run --port 3001
        flask: pipenv run python -m flask run => pipenv run python -m flask run --port 3001
        uvicorn: pdm run uvicorn a:b => pdm run uvicorn a:b --port 3001
        uvicorn: hatch run uvicorn a:b => hatch run uvicorn a:b --port 3001
        "#,
    );
}
