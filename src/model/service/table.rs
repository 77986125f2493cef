//! The known services, as data. A new one is a new row.

use super::Kind::{self, Application, Database, Development, Server, System};

/// A program that is known by its own name.
pub(super) struct Program {
    /// The names of the executable, or the first word of the title that it gives itself.
    pub names: &'static [&'static str],
    /// What to call it.
    pub service: &'static str,
    /// What it is.
    pub kind: Kind,
}

const fn row(names: &'static [&'static str], service: &'static str, kind: Kind) -> Program {
    Program {
        names,
        service,
        kind,
    }
}

pub(super) const PROGRAMS: &[Program] = &[
    // Development.
    row(&["next-server"], "next", Development),
    row(&["esbuild"], "esbuild", Development),
    row(&["workerd"], "workerd", Development),
    row(&["hugo"], "hugo", Development),
    row(&["air"], "air", Development),
    row(&["trunk"], "trunk", Development),
    row(&["mailpit"], "mailpit", Development),
    row(&["mailhog", "MailHog"], "mailhog", Development),
    row(&["ngrok"], "ngrok", Development),
    row(&["cloudflared"], "cloudflared", Development),
    row(&["beam.smp"], "erlang", Development),
    row(&["puma"], "puma", Development),
    row(&["unicorn"], "unicorn", Development),
    row(&["gunicorn"], "gunicorn", Development),
    row(&["uvicorn"], "uvicorn", Development),
    row(&["hypercorn"], "hypercorn", Development),
    row(&["flask"], "flask", Development),
    row(&["fastapi"], "fastapi", Development),
    row(
        &["jupyter-lab", "jupyter-notebook", "jupyter-server"],
        "jupyter",
        Development,
    ),
    row(&["streamlit"], "streamlit", Development),
    row(&["mkdocs"], "mkdocs", Development),
    row(&["celery"], "celery", Development),
    row(&["ollama"], "ollama", Development),
    row(&["llama-server"], "llama.cpp", Development),
    row(&["caddy"], "caddy", Server),
    row(&["traefik"], "traefik", Server),
    row(&["nginx"], "nginx", Server),
    row(&["apache2", "httpd"], "apache", Server),
    row(&["haproxy"], "haproxy", Server),
    row(&["envoy"], "envoy", Server),
    row(&["docker-proxy"], "docker-proxy", Server),
    row(
        &["rootlessport", "rootlessport-child"],
        "rootlessport",
        Server,
    ),
    row(&["kubectl"], "kubectl", Development),
    row(&["prometheus"], "prometheus", Server),
    row(&["grafana", "grafana-server"], "grafana", Server),
    row(&["minio"], "minio", Server),
    row(&["vault"], "vault", Server),
    row(&["consul"], "consul", Server),
    // Databases, brokers and caches.
    row(&["postgres", "postmaster"], "postgres", Database),
    row(&["mysqld"], "mysql", Database),
    row(&["mariadbd"], "mariadb", Database),
    row(&["mongod"], "mongodb", Database),
    row(&["redis-server"], "redis", Database),
    row(&["valkey-server"], "valkey", Database),
    row(&["memcached"], "memcached", Database),
    row(&["clickhouse", "clickhouse-server"], "clickhouse", Database),
    row(&["influxd"], "influxdb", Database),
    row(&["cockroach"], "cockroachdb", Database),
    row(&["etcd"], "etcd", Database),
    row(&["nats-server"], "nats", Database),
    row(&["mosquitto"], "mosquitto", Database),
    row(&["meilisearch"], "meilisearch", Database),
    row(&["qdrant"], "qdrant", Database),
    // Desktop applications and editors.
    row(
        &["chrome", "chromium", "google-chrome"],
        "chrome",
        Application,
    ),
    row(
        &["firefox", "firefox-bin", "firefox-esr"],
        "firefox",
        Application,
    ),
    row(&["code", "code-insiders", "codium"], "vscode", Application),
    row(&["cursor"], "cursor", Application),
    row(&["spotify"], "spotify", Application),
    row(&["slack"], "slack", Application),
    row(&["Discord", "discord"], "discord", Application),
    row(&["steam"], "steam", Application),
    row(&["syncthing"], "syncthing", Application),
    row(
        &["transmission-gtk", "transmission-daemon"],
        "transmission",
        Application,
    ),
    // Parts of the operating system and of the desktop.
    row(&["sshd", "sshd-session"], "sshd", System),
    row(&["systemd"], "systemd", System),
    row(
        &["systemd-resolve", "systemd-resolved"],
        "systemd-resolved",
        System,
    ),
    row(
        &["systemd-network", "systemd-networkd"],
        "systemd-networkd",
        System,
    ),
    row(
        &["systemd-timesyn", "systemd-timesyncd"],
        "systemd-timesyncd",
        System,
    ),
    row(&["cupsd"], "cupsd", System),
    row(&["cups-browsed"], "cups-browsed", System),
    row(&["avahi-daemon"], "avahi", System),
    row(&["dnsmasq"], "dnsmasq", System),
    row(&["unbound"], "unbound", System),
    row(&["named"], "bind", System),
    row(&["rpcbind"], "rpcbind", System),
    row(&["rpc.statd", "rpc.mountd"], "nfs", System),
    row(&["chronyd"], "chrony", System),
    row(&["ntpd"], "ntp", System),
    row(&["dhclient", "dhcpcd"], "dhcp", System),
    row(&["NetworkManager"], "NetworkManager", System),
    row(&["wpa_supplicant"], "wpa_supplicant", System),
    row(&["exim4"], "exim", System),
    row(&["smbd", "nmbd"], "samba", System),
    row(&["tailscaled"], "tailscale", System),
    row(&["containerd", "dockerd"], "docker", System),
    row(&["kdeconnectd"], "kdeconnect", System),
    row(
        &["gnome-remote-desktop-daemon", "gnome-remote-de"],
        "gnome-remote-desktop",
        System,
    ),
    row(&["rygel"], "rygel", System),
    row(&["rapportd"], "rapportd", System),
    row(&["ControlCenter", "ControlCe"], "AirPlay", System),
    row(&["sharingd"], "sharingd", System),
    row(&["identityservicesd"], "identityservicesd", System),
    row(&["mDNSResponder"], "mDNSResponder", System),
    row(&["launchd"], "launchd", System),
];

/// A program that runs scripts, modules or classes which say more than its own name.
pub(super) struct Runtime {
    /// Its executable, without version; also how it is shown in front of a script.
    pub program: &'static str,
    /// Flags whose value is the module or archive that it runs.
    pub module_flags: &'static [&'static str],
    /// Flags whose value is the code itself.
    pub code_flags: &'static [&'static str],
    /// Flags that take a value which is not the script.
    pub value_flags: &'static [&'static str],
    /// Words in front of the script.
    pub subcommands: &'static [&'static str],
    /// Whether what it runs has a dotted name of which the last part says most.
    pub dotted_names: bool,
}

const fn runtime(program: &'static str) -> Runtime {
    Runtime {
        program,
        module_flags: &[],
        code_flags: &["-e", "-c"],
        value_flags: &[],
        subcommands: &[],
        dotted_names: false,
    }
}

pub(super) const RUNTIMES: &[Runtime] = &[
    Runtime {
        code_flags: &["-e", "--eval", "-p", "--print"],
        value_flags: &[
            "-r",
            "--require",
            "--import",
            "--loader",
            "--env-file",
            "-C",
            "--conditions",
        ],
        ..runtime("node")
    },
    Runtime {
        value_flags: &["-r", "--preload", "--cwd"],
        subcommands: &["run", "x"],
        ..runtime("bun")
    },
    Runtime {
        code_flags: &["eval"],
        value_flags: &["-c", "--config", "--import-map"],
        subcommands: &["run", "serve", "task"],
        ..runtime("deno")
    },
    Runtime {
        module_flags: &["-m"],
        code_flags: &["-c"],
        value_flags: &["-W", "-X"],
        ..runtime("python")
    },
    Runtime {
        module_flags: &["-m"],
        code_flags: &["-c"],
        value_flags: &["-W", "-X"],
        ..runtime("pypy")
    },
    Runtime {
        value_flags: &["-I", "-r", "-C"],
        ..runtime("ruby")
    },
    Runtime {
        code_flags: &["-r"],
        value_flags: &["-S", "-t", "-d", "-c"],
        ..runtime("php")
    },
    Runtime {
        value_flags: &["-I", "-M"],
        ..runtime("perl")
    },
    Runtime {
        module_flags: &["-jar", "-m", "--module"],
        code_flags: &[],
        value_flags: &[
            "-cp",
            "-classpath",
            "--class-path",
            "-p",
            "--module-path",
            "--add-opens",
            "--add-exports",
            "--add-modules",
        ],
        dotted_names: true,
        ..runtime("java")
    },
    Runtime {
        subcommands: &["run", "exec", "watch"],
        value_flags: &["--project"],
        ..runtime("dotnet")
    },
];

/// Scripts, packages, modules and main classes, and what to call them. Matched against the
/// package in `node_modules`, the file's name, the file's name without its ending, and the whole.
pub(super) const SCRIPTS: &[(&[&str], &str)] = &[
    (&["vite"], "vite"),
    (&["next"], "next"),
    (&["nuxt", "nuxi", "@nuxt/cli"], "nuxt"),
    (&["astro"], "astro"),
    (&["webpack", "webpack-cli", "webpack-dev-server"], "webpack"),
    (&["react-scripts"], "react-scripts"),
    (&["@angular/cli", "ng"], "angular"),
    (&["@vue/cli-service", "vue-cli-service"], "vue-cli"),
    (&["@remix-run/dev", "remix"], "remix"),
    (&["@react-router/dev", "react-router"], "react-router"),
    (&["gatsby", "gatsby-cli"], "gatsby"),
    (&["parcel"], "parcel"),
    (&["rollup"], "rollup"),
    (
        &["@rspack/cli", "rspack", "@rsbuild/core", "rsbuild"],
        "rspack",
    ),
    (
        &["storybook", "start-storybook", "@storybook/cli"],
        "storybook",
    ),
    (&["expo", "@expo/cli"], "expo"),
    (&["metro"], "metro"),
    (&["react-native"], "react-native"),
    (&["@11ty/eleventy", "eleventy"], "eleventy"),
    (&["http-server"], "http-server"),
    (&["serve"], "serve"),
    (&["live-server"], "live-server"),
    (&["browser-sync"], "browser-sync"),
    (&["json-server"], "json-server"),
    (&["@nestjs/cli", "nest"], "nest"),
    (&["wrangler"], "wrangler"),
    (&["nodemon"], "nodemon"),
    (&["pm2"], "pm2"),
    (&["strapi", "@strapi/strapi"], "strapi"),
    (&["@docusaurus/core", "docusaurus"], "docusaurus"),
    (&["@sveltejs/kit", "svelte-kit"], "sveltekit"),
    (&["firebase-tools", "firebase"], "firebase"),
    (&["playwright", "playwright-core"], "playwright"),
    (&["cypress"], "cypress"),
    (&["n8n"], "n8n"),
    (&["http.server", "SimpleHTTPServer"], "http.server"),
    (&["manage.py", "django-admin", "django"], "django"),
    (&["flask"], "flask"),
    (&["uvicorn"], "uvicorn"),
    (&["gunicorn"], "gunicorn"),
    (&["hypercorn"], "hypercorn"),
    (&["daphne"], "daphne"),
    (&["waitress", "waitress-serve"], "waitress"),
    (&["fastapi"], "fastapi"),
    (&["streamlit"], "streamlit"),
    (&["gradio"], "gradio"),
    (
        &[
            "jupyter",
            "jupyterlab",
            "jupyter-lab",
            "jupyter-notebook",
            "notebook",
            "ipykernel_launcher",
        ],
        "jupyter",
    ),
    (&["mkdocs"], "mkdocs"),
    (&["sphinx-autobuild", "sphinx_autobuild"], "sphinx"),
    (&["celery"], "celery"),
    (&["airflow"], "airflow"),
    (&["mlflow"], "mlflow"),
    (&["tensorboard"], "tensorboard"),
    (&["locust"], "locust"),
    (&["pgadmin4", "pgAdmin4"], "pgadmin"),
    (&["rails"], "rails"),
    (&["puma"], "puma"),
    (&["unicorn", "unicorn_rails"], "unicorn"),
    (&["jekyll"], "jekyll"),
    (&["rackup"], "rack"),
    (&["artisan"], "laravel"),
    (&["symfony"], "symfony"),
    (&["kafka.Kafka"], "kafka"),
    (
        &["org.apache.zookeeper.server.quorum.QuorumPeerMain"],
        "zookeeper",
    ),
    (
        &[
            "org.elasticsearch.bootstrap.Elasticsearch",
            "org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch",
        ],
        "elasticsearch",
    ),
    (&["org.opensearch.bootstrap.OpenSearch"], "opensearch"),
    (
        &["org.apache.cassandra.service.CassandraDaemon"],
        "cassandra",
    ),
    (&["org.apache.catalina.startup.Bootstrap"], "tomcat"),
    (
        &["org.jetbrains.kotlin.daemon.KotlinCompileDaemon"],
        "kotlin-daemon",
    ),
    (
        &["org.gradle.launcher.daemon.bootstrap.GradleDaemon"],
        "gradle",
    ),
    (
        &["org.codehaus.plexus.classworlds.launcher.Launcher"],
        "maven",
    ),
];
