//! The cases of the Autobahn suite's sections 1 to 7 and 10, as a table of our own: what a client sends, what
//! it gets back. Each runs in one piece, in small pieces, and over TLS.

use crate::support::{Client, Server, generous, masked};

/// What a client sends, what it gets back, and the code of the close frame at the end.
struct Case {
    name: String,
    send: Vec<u8>,
    expect: Vec<(u8, Vec<u8>)>,
    close: Option<u16>,
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
/// The same without the bit that ends a message.
const TEXT_BEGINS: u8 = 0x01;
const BINARY_BEGINS: u8 = 0x02;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;

/// A case in which the client breaks a rule, or says good-bye in its own words.
fn fails(name: &str, send: &[(u8, &[u8])], expect: &[(u8, &[u8])], close: impl Into<Option<u16>>) -> Case {
    Case {
        name: name.to_owned(),
        send: send.iter().flat_map(|(first, payload)| masked(*first, payload)).collect(),
        expect: expect.iter().map(|(first, payload)| (*first, payload.to_vec())).collect(),
        close: close.into(),
    }
}

/// A case that is right; the client says good-bye at its end.
fn passes(name: &str, send: &[(u8, &[u8])], expect: &[(u8, &[u8])]) -> Case {
    fails(name, &[send, &[(CLOSE, &[0x03, 0xE8])]].concat(), expect, 1000)
}

fn run(cases: impl IntoIterator<Item = Case>) {
    let (plain, tls) = (Server::echo(generous(), false), Server::echo(generous(), true));
    for case in cases {
        let piece = if case.send.len() > 4000 { 997 } else { 1 };
        for (how, mut client, size) in [
            ("in one piece", plain.connect(), usize::MAX),
            ("in small pieces", plain.connect(), piece),
            ("over TLS", tls.connect(), usize::MAX),
            ("in small pieces over TLS", tls.connect(), piece.max(7)),
        ] {
            case.send.chunks(size).for_each(|piece| client.send(piece));
            case.check(how, &mut client);
        }
    }
    for server in [plain, tls] {
        server.wait_for_clients(0);
    }
}

impl Case {
    fn check(&self, how: &str, client: &mut Client) {
        let mut frames = client.rest();
        let name = format!("{} {how}", self.name);
        let Some(last) = frames.pop() else { panic!("{name}: the end without a close frame") };
        let got: Vec<_> = frames.into_iter().map(|frame| (frame.first, frame.payload)).collect();
        assert!(got == self.expect, "{name}: got {got:02x?}, then {last:?}");
        let code = last.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
        assert_eq!((last.first, code), (CLOSE, self.close), "{name}: {last:?}");
    }
}

#[test]
fn section_1_framing() {
    let lengths = [0, 1, 125, 126, 127, 128, 65_535, 65_536];
    run(lengths.into_iter().flat_map(|length| {
        let payload = vec![b'*'; length];
        let text: (u8, &[u8]) = (TEXT, &payload);
        // The feeds understand text alone.
        let binary = fails(&format!("1.2 of {length}"), &[(BINARY, &payload)], &[], 1003);
        [passes(&format!("1.1 of {length}"), &[text], &[text]), binary]
    }));
}

#[test]
fn section_2_pings_and_pongs() {
    let bytes = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF];
    let long = [0xFE; 125];
    let ten: Vec<Vec<u8>> = (0..10).map(|at| format!("payload-{at}").into_bytes()).collect();
    let pings: Vec<_> = ten.iter().map(|payload| (PING, &payload[..])).collect();
    let pongs: Vec<_> = ten.iter().map(|payload| (PONG, &payload[..])).collect();
    run([
        passes("2.1", &[(PING, b"")], &[(PONG, b"")]),
        passes("2.2", &[(PING, b"Hello, world!")], &[(PONG, b"Hello, world!")]),
        passes("2.3", &[(PING, &bytes)], &[(PONG, &bytes)]),
        passes("2.4", &[(PING, &long)], &[(PONG, &long)]),
        fails("2.5", &[(PING, &[0xFE; 126])], &[], 1002),
        passes("2.6", &[(PING, &long)], &[(PONG, &long)]),
        passes("2.7", &[(PONG, b"")], &[]),
        passes("2.8", &[(PONG, b"unsolicited")], &[]),
        passes("2.9", &[(PONG, b"unsolicited"), (PING, b"ping")], &[(PONG, b"ping")]),
        passes("2.10", &pings, &pongs),
    ]);
}

#[test]
fn section_3_reserved_bits() {
    let small = b"small utf8 payload";
    let hello: (u8, &[u8]) = (TEXT, small);
    run([
        fails("3.1", &[(TEXT | 0x40, small)], &[], 1002),
        fails("3.2", &[hello, (TEXT | 0x20, small), (PING, b"")], &[hello], 1002),
        fails("3.3", &[hello, (TEXT | 0x30, small), (PING, b"")], &[hello], 1002),
        fails("3.4", &[hello, (TEXT | 0x40, small), (PING, b"")], &[hello], 1002),
        fails("3.5", &[(BINARY | 0x50, small)], &[], 1002),
        fails("3.6", &[(PING | 0x60, small)], &[], 1002),
        fails("3.7", &[(CLOSE | 0x70, small)], &[], 1002),
    ]);
}

#[test]
fn section_4_opcodes() {
    let hello: (u8, &[u8]) = (TEXT, b"Hello, world!");
    run((3..=7).chain(0xB..=0xF).flat_map(|opcode: u8| {
        let first = 0x80 | opcode;
        [
            fails(&format!("4 opcode {opcode}"), &[(first, b"")], &[], 1002),
            fails(&format!("4 opcode {opcode} after a message"), &[hello, (first, b"x"), (PING, b"")], &[hello], 1002),
        ]
    }));
}

#[test]
fn section_5_fragmentation() {
    let (one, two): (&[u8], &[u8]) = (b"fragment1", b"fragment2");
    let whole: (u8, &[u8]) = (TEXT, b"fragment1fragment2");
    let pong: (u8, &[u8]) = (PONG, b"ping");
    let ping: (u8, &[u8]) = (PING, b"ping");
    let stray: (u8, &[u8]) = (GOES_ON, b"non-continuation payload");
    run([
        fails("5.1", &[(PING & 0x7F, one), (ENDS, two)], &[], 1002),
        fails("5.2", &[(PONG & 0x7F, one), (ENDS, two)], &[], 1002),
        passes("5.3", &[(TEXT_BEGINS, one), (ENDS, two)], &[whole]),
        passes("5.6", &[(TEXT_BEGINS, one), ping, (ENDS, two)], &[pong, whole]),
        fails("5.9", &[stray, (TEXT, b"Hello")], &[], 1002),
        fails("5.10", &[(ENDS, b"non-continuation payload"), (TEXT, b"Hello")], &[], 1002),
        fails("5.12 after a message", &[(TEXT, one), stray], &[(TEXT, one)], 1002),
        passes("5.15 but one", &[(TEXT_BEGINS, one), (GOES_ON, two), (ENDS, b"")], &[(TEXT, b"fragment1fragment2")]),
        fails("5.15", &[(TEXT_BEGINS, one), (ENDS, two), stray, (ENDS, one)], &[whole], 1002),
        fails("5.16", &[stray, (TEXT_BEGINS, one), (ENDS, two)], &[], 1002),
        fails("5.18", &[(TEXT_BEGINS, one), (TEXT, two)], &[], 1002),
        passes(
            "5.19",
            &[
                (TEXT_BEGINS, b"1"),
                (GOES_ON, b"2"),
                (PING, b"first"),
                (GOES_ON, b"3"),
                (GOES_ON, b""),
                (PING, b"second"),
                (ENDS, b"5"),
            ],
            &[(PONG, b"first"), (PONG, b"second"), (TEXT, b"1235")],
        ),
        fails("5 binary", &[(BINARY_BEGINS, &[0xFF]), ping, (ENDS, &[0xFE])], &[pong], 1003),
        passes("5 control frames between", &[(TEXT_BEGINS, one), (PONG, b"x"), ping, (ENDS, two)], &[pong, whole]),
    ]);
}

#[test]
fn section_6_utf_8() {
    let valid: &[&str] = &[
        "",
        "Hello-µ@ßöäüàá-UTF-8!!",
        "κόσμε",
        "\0",
        "\u{80}\u{800}\u{10000}",
        "\u{7F}\u{7FF}\u{FFFF}",
        "\u{D7FF}\u{E000}\u{FFFD}\u{10FFFF}",
        "\u{FFFE}\u{1FFFE}\u{1FFFF}\u{10FFFE}",
    ];
    let invalid: &[&[u8]] = &[
        b"\x80",
        b"\xBF",
        b"\x80\xBF\x80\xBF\x80\xBF",
        b"\xC0\x20\xC1\x20",
        b"\xFE",
        b"\xFF",
        b"\xC0\xAF",
        b"\xE0\x80\xAF",
        b"\xF0\x80\x80\xAF",
        b"\xF8\x80\x80\x80\xAF",
        b"\xFC\x80\x80\x80\x80\xAF",
        b"\xC1\xBF",
        b"\xE0\x9F\xBF",
        b"\xF0\x8F\xBF\xBF",
        b"\xED\xA0\x80",
        b"\xED\xBF\xBF",
        b"\xED\xA0\x80\xED\xB0\x80",
        b"\xF4\x90\x80\x80",
        b"\xF7\xBF\xBF\xBF",
        b"\xF8\x88\x80\x80\x80",
        b"Hello\xC3 world",
        b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited",
        // Cut in the middle of a character.
        b"\xCE",
        b"\xE1\xBD",
        b"\xF0\x9F\x98",
    ];
    let good = valid.iter().flat_map(|text| {
        let bytes = text.as_bytes();
        let mut letters = vec![(TEXT_BEGINS, &b""[..])];
        letters.extend(bytes.chunks(1).map(|byte| (GOES_ON, byte)));
        letters.push((ENDS, b""));
        [
            passes(&format!("6 {text:?}"), &[(TEXT, bytes)], &[(TEXT, bytes)]),
            passes(&format!("6 {text:?} a byte a frame"), &letters, &[(TEXT, bytes)]),
        ]
    });
    let bad = invalid.iter().flat_map(|bytes| {
        let middle = bytes.len() / 2;
        [
            fails(&format!("6 {bytes:02x?}"), &[(TEXT, bytes)], &[], 1007),
            fails(
                &format!("6 {bytes:02x?} in two frames"),
                &[(TEXT_BEGINS, &bytes[..middle]), (ENDS, &bytes[middle..])],
                &[],
                1007,
            ),
        ]
    });
    run(good.chain(bad));
}

#[test]
fn section_6_4_wrong_text_fails_before_its_end() {
    let (plain, tls) = (Server::echo(generous(), false), Server::echo(generous(), true));
    for server in [plain, tls] {
        // The message is never finished: neither its fragment nor, in the second case, the frame itself.
        let mut client = server.connect();
        client.frame(TEXT_BEGINS, b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5");
        client.frame(GOES_ON, b"\xF4\x90");
        assert_eq!(client.close_code(), Some(1007));
        let mut client = server.connect();
        client.send(&masked(TEXT, b"\xCE\xBA\xF4\x90\x80\x80edited")[..10]);
        assert_eq!(client.close_code(), Some(1007));
    }
}

#[test]
fn section_7_closing() {
    let hello: (u8, &[u8]) = (TEXT, b"Hello World!");
    let bye: (u8, &[u8]) = (CLOSE, &[0x03, 0xE8]);
    let long_reason = [&[0x03, 0xE8][..], &[b'*'; 123]].concat();
    let too_long = [&[0x03, 0xE8][..], &[b'*'; 124]].concat();
    let not_utf8 = [&[0x03, 0xE8][..], b"\xCE\xBA\xED\xA0\x80"].concat();
    let mut cases = vec![
        passes("7.1.1", &[hello], &[hello]),
        fails("7.1.2", &[bye, bye], &[], 1000),
        fails("7.1.3", &[bye, (PING, b"")], &[], 1000),
        fails("7.1.4", &[bye, hello], &[], 1000),
        fails("7.1.5", &[(TEXT_BEGINS, b"begun"), bye, (ENDS, b"ended")], &[], 1000),
        fails("7.1.6", &[hello, bye, (PING, b""), (TEXT, &[b'*'; 60_000])], &[hello], 1000),
        fails("7.3.1", &[(CLOSE, b"")], &[], None),
        fails("7.3.2", &[(CLOSE, b"a")], &[], 1002),
        fails("7.3.3", &[bye], &[], 1000),
        fails("7.3.4", &[(CLOSE, b"\x03\xE8Hello World!")], &[], 1000),
        fails("7.3.5", &[(CLOSE, &long_reason)], &[], 1000),
        fails("7.3.6", &[(CLOSE, &too_long)], &[], 1002),
        fails("7.5.1", &[(CLOSE, &not_utf8)], &[], 1007),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999u16] {
        cases.push(fails(&format!("7.7 {code}"), &[(CLOSE, &code.to_be_bytes())], &[], code));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535u16] {
        cases.push(fails(&format!("7.9 {code}"), &[(CLOSE, &code.to_be_bytes())], &[], 1002));
    }
    run(cases);
}

#[test]
fn section_10_many_fragments() {
    let payload = vec![b'*'; 65_536];
    let mut frames: Vec<_> = payload.chunks(1300).map(|piece| (GOES_ON, piece)).collect();
    frames[0].0 = TEXT_BEGINS;
    frames.last_mut().unwrap().0 = ENDS;
    run([passes("10.1.1", &frames, &[(TEXT, &payload)])]);
}
