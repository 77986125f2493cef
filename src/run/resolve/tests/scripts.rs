//! Scripts of package managers: looked through, and told the port where that can be done.

use super::*;

#[test]
fn scripts_are_looked_through() {
    check(
        r#"
        vite: npm run dev => npm run dev -- --port 3001 --strictPort
        vite: npm run dev -- --host => npm run dev -- --host --port 3001 --strictPort
        vite: npm run dev -- --port 5000 => npm run dev -- --port 3001 --strictPort
        vite: npm run-script --silent dev => npm run-script --silent dev -- --port 3001 --strictPort
        next: npm start => npm start -- -p 3001
        -: npm dev
        -: npm run no-such
        astro: npm --prefix /shop/web run dev => npm --prefix /shop/web run dev -- --port 3001
        astro: npm run dev --prefix=web => npm run dev --prefix=web -- --port 3001
        vite: pnpm dev => pnpm dev --port 3001 --strictPort
        vite: pnpm run dev --host => pnpm run dev --host --port 3001 --strictPort
        vite: pnpm dev -- --host => pnpm dev --port 3001 --strictPort -- --host
        astro: pnpm -C web dev => pnpm -C web dev --port 3001
        vite: yarn dev => yarn dev --port 3001 --strictPort
        astro: yarn --cwd web run dev => yarn --cwd web run dev --port 3001
        next: yarn start => yarn start -p 3001
        vite: bun run dev => bun run dev --port 3001 --strictPort
        vite: bun --bun dev => bun --bun dev --port 3001 --strictPort
        -: bun test
        vite: node --run dev => node --run dev -- --port 3001 --strictPort
        vite: npm run outer => npm run outer -- -- --port 3001 --strictPort
        vite: npm run open => npm run open -- --port 3001 --strictPort
        vite: pnpm outer => pnpm outer -- --port 3001 --strictPort
        vite: yarn outer => yarn outer -- -- --port 3001 --strictPort
        vite: yarn outer -- --host => yarn outer -- --host -- --port 3001 --strictPort
        vite: yarn dev -- --host => yarn dev -- --host --port 3001 --strictPort
        vite: bun outer => bun outer -- -- --port 3001 --strictPort
        vite: npm run through-pnpm => npm run through-pnpm -- --port 3001 --strictPort
        vite: npm run build-first => npm run build-first -- --port 3001 --strictPort
        vite: npm run watched => npm run watched -- --port 3001 --strictPort
        vite: npm run logged => npm run logged -- --port 3001 --strictPort
        vite: npm run quoted => npm run quoted -- --port 3001 --strictPort
        astro: npm run web => npm run web -- -- --port 3001
        vite: npm run five => npm run five -- --port 3001 --strictPort
        vite: npm run ignores => npm run ignores -- --port 3001 --strictPort
        next: npm run heeds => npm run heeds -- -p 3001
        vite: env A=B npm run dev => env A=B npm run dev -- --port 3001 --strictPort
        "#,
    );
}

#[test]
fn scripts_that_cannot_be_changed_are_left_alone() {
    use Telling::*;
    for (line, framework, named, telling) in [
        ("npm run background", "vite", None, OutOfReach),
        ("npm run piped", "vite", None, OutOfReach),
        ("npm run commented", "vite", None, OutOfReach),
        ("npm run grouped", "vite", None, OutOfReach),
        ("npm run ended", "vite", None, OutOfReach),
        ("npm run shell", "vite", None, OutOfReach),
        ("npm run both", "vite", None, OutOfReach),
        ("npm run parallel", "vite", None, OutOfReach),
        ("npm run astro-five", "astro", Some(5000), NamedInScript),
        ("npm run by-port", "next", None, Variable),
        ("npm run dev:api", "-", Some(4000), NamedInScript),
        ("npm run cra", "create-react-app", None, Variable),
        ("npm run dashes", "flask", None, Variable),
        ("npm run broken", "-", None, PerhapsVariable),
        ("npm run empty", "-", None, PerhapsVariable),
        ("npm run number", "-", None, PerhapsVariable),
        ("npm run nested", "-", None, PerhapsVariable),
    ] {
        let resolved = seen(line);
        let name = resolved.framework.map_or("-", |framework| framework.name);
        let got = (name, resolved.named.map(Port::get), resolved.telling);
        assert_eq!(got, (framework, named, telling), "{line}");
        assert_eq!(told(&resolved), line, "{line}");
    }
}

#[test]
fn files_that_are_broken_are_told() {
    let look = |line: &str, folder: &str| resolve(&argv(line), Path::new(folder), &files);
    assert_eq!(
        look("npm run dev", "/broken").unwrap_err().to_string(),
        "/broken/package.json:3:12: expected value"
    );
    assert!(
        look("vite", "/broken").is_ok(),
        "nothing is read that is not needed"
    );
    assert!(
        look("npm run dev", "/nothing/here")
            .unwrap()
            .framework
            .is_none()
    );
    let found = look("npm run dev", "/bom/src").unwrap();
    assert_eq!(found.framework.unwrap().name, "vite");
    let found = look("deno task dev", "/deno").unwrap();
    assert_eq!(told(&found), "deno task dev --port 3001 --strictPort");
}

#[test]
fn yarn_is_told_as_its_version_needs_it() {
    for folder in ["/modern", "/managed/src"] {
        for (line, becomes) in [
            ("yarn dev -- x", "yarn dev --port 3001 --strictPort -- x"),
            ("yarn outer", "yarn outer -- --port 3001 --strictPort"),
            ("yarn exec vite", "yarn exec vite --port 3001 --strictPort"),
        ] {
            let found = resolve(&argv(line), Path::new(folder), &files).unwrap();
            assert_eq!(told(&found), becomes, "{folder}: {line}");
        }
    }
}
