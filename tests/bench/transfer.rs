//! The copy of a reader, through a sealed session: against the same bytes over TLS alone, and when only a few rows
//! of it differ.

use crate::inside::Inside;
use crate::people;
use crate::relay::{self, Relay};
use crate::sealed::{PATIENCE, Pair, streams};
use crate::support::Network;
use crate::table::{Line, Runs, timed};
use reunite::base::clock::Deadline;
use reunite::model::limits::{MAX_ROWS_PIECE, ROWS_PIECE, SLOWEST_COPY};
use reunite::model::message::{Bind, Giving, Opening, Taking};
use reunite::model::parcel::{pieces, unpack};
use reunite::model::reconcile::{Index, Renewal};
use reunite::model::squeeze::unsqueeze;
use reunite::net::copies::serve;
use reunite::net::shelf::Shelf;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Rows of a camp.
const BULK: usize = 500_000;
const ROWS: usize = 100_000;
const RUNS: usize = 9;
/// Rows that differ.
const CHANGES: usize = 100;

pub fn measure() -> Vec<Line> {
    let mut lines = through(BULK);
    lines.extend(through(ROWS));
    lines.extend(few());
    lines
}

/// So many rows through a session, and the same bytes without it.
fn through(count: usize) -> Vec<Line> {
    let shelf = shelf(count);
    let raw = packed(&shelf);
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..RUNS {
        times[0].push(give(&shelf, &Index::default(), streams(), unpacked).0);
        times[1].push(give(&shelf, &Index::default(), streams(), |_| 0).0);
        times[2].push(bare(&raw, streams()));
    }
    let speed = |times: &Vec<Duration>| {
        let all: usize = raw.iter().map(Vec::len).sum();
        let each = times.iter().map(|time| all as f64 / 1e6 / time.as_secs_f64());
        Runs::new("MB/s", each.collect())
    };
    let [rows, frames, bare] = times.each_ref().map(speed);
    let line = |what: &str, speed| {
        Line::new(format!("{count} public rows through a sealed session{what}"), speed)
            .against("the same bytes over bare TLS", &bare)
    };
    vec![line("", frames).goal_ratio_over(0.8), line(", each checked and taken out", rows)]
}

/// What a node with these people gives to readers.
fn shelf(rows: usize) -> Arc<Shelf> {
    let network = Network::new("bench-transfer", 2);
    network.put(1, &people::distinct_file(rows));
    let one = Inside::open(&network, 1);
    let sealed = one.context.sealed.as_ref().expect("a sealed network");
    let made = one.context.shelves.public(one.database(), &sealed.signer, &one.context.stop);
    let made = made.expect("made");
    assert_eq!(made.rows.len(), rows, "readers see some of them as one");
    made
}

/// The bytes of all its rows, as they are sent.
fn packed(shelf: &Shelf) -> Vec<Vec<u8>> {
    pieces(shelf.rows.iter().map(|(section, row)| (*section, row.line())), ROWS_PIECE).collect()
}

/// Gives what is on the shelf to who has what is in `own`. Returns how long it took once the session was open,
/// and how many rows came.
fn give(
    shelf: &Shelf,
    own: &Index,
    (client, server): (TcpStream, TcpStream),
    take: fn(&[u8]) -> usize,
) -> (Duration, usize) {
    let (mut client, mut server) = Pair::new().channels(client, server);
    thread::scope(|scope| {
        let taker = scope.spawn(move || {
            server.expect(Deadline::after(PATIENCE)).expect("the first message");
            let mut next = || server.expect(Deadline::after(PATIENCE)).expect("sent");
            assert!(matches!(Giving::decode(&next()), Ok(Giving::Signed(_))));
            let offer = match Giving::decode(&next()) {
                Ok(Giving::Offer(offer)) => offer,
                other => unreachable!("{other:?}"),
            };
            let mut renewal = Renewal::new(own, &offer);
            if let Some(split) = renewal.split() {
                server.send(&Taking::Split(split.clone()).encode()).expect("sent");
                let parts = server.expect(Deadline::after(PATIENCE)).expect("sent");
                match Giving::decode(&parts) {
                    Ok(Giving::Parts(parts)) => renewal.compare(&parts).expect("right"),
                    other => unreachable!("{other:?}"),
                }
            }
            for want in renewal.want() {
                server.send(&Taking::Want(want).encode()).expect("sent");
            }
            let (flow, mut rows) = (server.flow(SLOWEST_COPY), 0);
            loop {
                let body = server.receive_of(&flow).expect("sent");
                match Giving::decode(&body) {
                    Ok(Giving::Rows(squeezed)) => rows += take(&squeezed),
                    Ok(Giving::Gone(_)) => {}
                    Ok(Giving::End) => break,
                    other => unreachable!("{other:?}"),
                }
            }
            server.send(&[0]).expect("sent");
            rows
        });
        let hello = Opening::Bind(Bind::new([0; 16], [0; 32])).encode();
        client.send(&hello).expect("sent");
        let (time, ()) = timed(|| {
            serve(&mut client, shelf, &[0; 32]).expect("taken");
            client.expect(Deadline::after(PATIENCE)).expect("all came");
        });
        (time, taker.join().expect("no panic"))
    })
}

/// What a node does with a piece before its database.
fn unpacked(squeezed: &[u8]) -> usize {
    let (piece, mut rows) = (unsqueeze(squeezed, MAX_ROWS_PIECE).expect("ours"), Vec::new());
    let found = unpack(&piece, &mut |section, row| rows.push((section, row)));
    assert_eq!(found.expect("ours").strange, 0);
    rows.len()
}

/// The same bytes with TLS and nothing else; ends when the reader has all of them.
fn bare(all: &[Vec<u8>], (client, server): (TcpStream, TcpStream)) -> Duration {
    let (pair, count) = (Pair::new(), all.iter().map(Vec::len).sum::<usize>());
    [&client, &server].into_iter().for_each(|stream| stream.set_nodelay(true).expect("set"));
    let mut client = rustls::StreamOwned::new(pair.client(), client);
    let mut server = rustls::StreamOwned::new(pair.server(), server);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            server.read_exact(&mut buffer[..1]).expect("the first byte");
            server.write_all(&[1]).expect("sent");
            let mut came = 0;
            while came < count {
                came += server.read(&mut buffer).expect("sent");
            }
            server.write_all(&[1]).expect("sent");
        });
        let mut byte = [0];
        client.write_all(&byte).and_then(|()| client.read_exact(&mut byte)).expect("agreed");
        let (time, ()) = timed(|| {
            all.iter().for_each(|piece| client.write_all(piece).expect("sent"));
            client.read_exact(&mut byte).expect("all came");
        });
        time
    })
}

/// What travels when a hundred rows of a hundred thousand are new to the reader.
fn few() -> Vec<Line> {
    let giver = shelf(ROWS);
    let (known, new) = giver.rows.split_at(giver.rows.len() - CHANGES);
    let own = Index::new(known.iter().map(|(section, row)| (*section, row.line())));
    let (streams, ended) = relay::streams(Relay { bytes_per_second: None });
    let (time, came) = give(&giver, &own, streams, unpacked);
    assert_eq!(came, CHANGES);
    let counted = ended.join();
    let changes: usize = new.iter().map(|(_, row)| row.line().len()).sum();
    let runs = |unit, value| Runs::new(unit, vec![value]);
    vec![
        Line::new(
            "bytes of a copy with 100 new of 100000 rows",
            runs("bytes", counted.bytes as f64),
        )
        .against("the new rows' own", &runs("bytes", changes as f64)),
        Line::new("round trips of it, with those of TLS", runs("", counted.turns as f64 / 2.0)),
        Line::new("how long it takes", Runs::times(&[time])),
    ]
}
