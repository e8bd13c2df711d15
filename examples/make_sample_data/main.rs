//! Makes the sample data of `project_template/`: two days of a CRM and an ERP, and what a pipeline must find in them.
//!
//! ```text
//! cargo run --example make_sample_data                                      writes project_template/sample_data
//! cargo run --example make_sample_data -- --into DIR                        writes it elsewhere
//! cargo run --example make_sample_data -- --erp-sqlite erp.db --day 2       writes the ERP of a day as SQLite
//! ```
//!
//! The same program always writes the same bytes. All names and addresses are invented.

mod customer;
mod random;
mod recording;
mod truth;
mod words;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

/// What the command line asks for.
struct Wanted {
    into: PathBuf,
    erp_sqlite: Option<PathBuf>,
    day: u8,
}

fn main() -> ExitCode {
    match wanted(std::env::args().skip(1)).and_then(|wanted| make(&wanted)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            #[expect(clippy::print_stderr, reason = "a program of its own, not a part of strata")]
            {
                eprintln!("make_sample_data: {message}");
            }
            ExitCode::from(2)
        }
    }
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted { into: PathBuf::from("project_template/sample_data"), erp_sqlite: None, day: 1 };
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{flag}` needs a value"))?;
        match flag.as_str() {
            "--into" => wanted.into = PathBuf::from(value),
            "--erp-sqlite" => wanted.erp_sqlite = Some(PathBuf::from(value)),
            "--day" if value == "1" => wanted.day = 1,
            "--day" if value == "2" => wanted.day = 2,
            "--day" => return Err(format!("there are the days 1 and 2, not `{value}`")),
            _ => return Err(format!("unknown flag `{flag}`; known are --into, --erp-sqlite, --day")),
        }
    }
    Ok(wanted)
}

fn make(wanted: &Wanted) -> Result<(), String> {
    let mut random = random::Random::new(20_260_302);
    let day_1 = world::day_1(&mut random);
    let day_2 = world::day_2(&mut random, &day_1);
    if let Some(file) = &wanted.erp_sqlite {
        let world = if wanted.day == 1 { &day_1 } else { &day_2 };
        return recording::write_sqlite(world, file).map_err(|error| format!("{}: {error}", file.display()));
    }
    let io = |error: std::io::Error| format!("{}: {error}", wanted.into.display());
    recording::write_recordings(&day_1, &wanted.into.join("day_1")).map_err(io)?;
    recording::write_recordings(&day_2, &wanted.into.join("day_2")).map_err(io)?;
    let expected = format!("{:#}\n", truth::expectations(&day_1, &day_2));
    std::fs::write(wanted.into.join("expected.json"), expected).map_err(io)
}
