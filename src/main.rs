fn main() {
    let t = std::time::Instant::now();
    let s = freeport::platform::look(&[]);
    eprintln!("{:?}", t.elapsed());
    for l in &s.listeners {
        println!(
            "{} {} {:?} {:?} {}",
            l.port,
            l.protocol,
            l.addresses,
            l.owner_key(),
            l.service()
        );
    }
    println!("{:?}", s.gaps);
}
