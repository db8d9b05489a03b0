//! Migrations are compiled in: a new file among them has to be noticed.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
