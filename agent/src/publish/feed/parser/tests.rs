use proptest::{collection::vec, prelude::*};
use tokio_tungstenite::tungstenite::protocol::frame::{
    Frame as TheirFrame,
    coding::{Data, OpCode},
};

use super::*;

const RULES: Rules = Rules { message_bytes: 1000, deflate: false };

/// What the parser says to bytes in these pieces: all events, and the code of the violation that ended them.
fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, rules: Rules) -> (Vec<Event>, Option<u16>) {
    let (mut parser, mut deflate, mut events) = (Parser::default(), Deflate::default(), Vec::new());
    for mut piece in pieces {
        loop {
            match parser.take(&mut piece, rules, &mut deflate) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(violation) => return (events, Some(violation.code)),
            }
        }
        assert!(piece.is_empty(), "bytes were left");
    }
    (events, None)
}

/// A frame as a client might write it, right or wrong.
#[derive(Clone, Debug)]
struct Frame {
    first: u8,
    masked: bool,
    /// Bytes of extended length, even where fewer would do.
    extended: usize,
    mask: [u8; 4],
    payload: Vec<u8>,
}

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        let shortest = match self.payload.len() {
            0..=125 => 0,
            126..=0xFFFF => 2,
            _ => 8,
        };
        let length = (self.payload.len() as u64).to_be_bytes();
        let (code, length) = match self.extended.max(shortest) {
            0 => (length[7], &[][..]),
            2 => (126, &length[6..]),
            _ => (127, &length[..]),
        };
        let mut bytes = vec![self.first, if self.masked { 0x80 | code } else { code }];
        bytes.extend(length);
        if self.masked {
            bytes.extend(self.mask);
        }
        bytes.extend(self.payload.iter().enumerate().map(|(at, byte)| byte ^ self.mask[at % 4]));
        bytes
    }

    fn is_in_shortest_form(&self) -> bool {
        match self.extended {
            0 => true,
            2 => self.payload.len() > 125,
            _ => self.payload.len() > 0xFFFF,
        }
    }
}

/// The rules once more, frame by frame and with the whole message at hand.
fn naive(frames: &[Frame]) -> (Vec<Event>, Option<u16>) {
    let mut events = Vec::new();
    let mut open: Option<(bool, Vec<u8>)> = None;
    for frame in frames {
        let (fin, opcode) = (frame.first & 0x80 != 0, frame.first & 0x0F);
        let control = opcode >= 8;
        let known = matches!(opcode, 0..=2 | 8..=10);
        let in_order = control || (opcode == 0) == open.is_some();
        let control_fits = !control || fin && frame.payload.len() <= 125 && frame.extended == 0;
        let legal = frame.first & 0x70 == 0 && known && in_order && frame.masked && control_fits;
        if !legal || !frame.is_in_shortest_form() {
            return (events, Some(1002));
        }
        match opcode {
            9 => events.push(Event::Ping(frame.payload.clone())),
            10 => events.push(Event::Pong),
            8 => {
                let code = frame.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                let allowed = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
                match code {
                    None if frame.payload.is_empty() => events.push(Event::Close(None)),
                    Some(code) if allowed.contains(&code) || (3000..5000).contains(&code) => {
                        if String::from_utf8(frame.payload[2..].to_vec()).is_err() {
                            return (events, Some(1007));
                        }
                        events.push(Event::Close(Some(code)));
                    }
                    _ => return (events, Some(1002)),
                }
            }
            _ => {
                let (text, message) = open.get_or_insert((opcode == 1, Vec::new()));
                if message.len() + frame.payload.len() > RULES.message_bytes {
                    return (events, Some(1009));
                }
                message.extend(&frame.payload);
                let error = std::str::from_utf8(message).err();
                if *text && error.is_some_and(|error| fin || error.error_len().is_some()) {
                    return (events, Some(1007));
                }
                if fin {
                    events.extend(open.take().map(|(text, message)| match text {
                        true => Event::Text(String::from_utf8(message).unwrap()),
                        false => Event::Binary(message),
                    }));
                }
            }
        }
    }
    (events, None)
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-zäß€😀]{0,20}".prop_map(String::into_bytes),
        2 => "[a-z😀]{0,140}".prop_map(String::into_bytes),
        1 => ("[a-z]{0,5}", vec(any::<u8>(), 0..4)).prop_map(|(text, junk)| [text.into_bytes(), junk].concat()),
        1 => (prop_oneof![990..1020u16, 2990..3010u16, any::<u16>()], "[a-zä]{0,9}")
            .prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    let first = prop_oneof![
        20 => proptest::sample::select(&[0x80, 0x80, 0x00, 0x00, 0x01, 0x81, 0x82, 0x02, 0x89, 0x8A][..]),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let masked = proptest::bool::weighted(0.98);
    let extended = prop_oneof![40 => Just(0), 1 => Just(2), 1 => Just(8)];
    (first, masked, extended, any::<[u8; 4]>(), payload()).prop_map(|(first, masked, extended, mask, payload)| {
        let mask = if masked { mask } else { [0; 4] };
        Frame { first, masked, extended, mask, payload }
    })
}

/// Cuts bytes at these places, given as shares of the whole.
fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_mean_what_the_naive_reading_says_however_they_are_cut(
        frames in vec(frame(), 1..8), places in vec(any::<usize>(), 0..12),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        let expected = naive(&frames);
        prop_assert_eq!(&parse([&bytes[..]], RULES), &expected);
        prop_assert_eq!(&parse(cut(&bytes, &places), RULES), &expected);
        prop_assert_eq!(&parse(bytes.chunks(1), RULES), &expected);
    }

    #[test]
    fn any_bytes_mean_the_same_however_they_are_cut(
        bytes in vec(prop_oneof![any::<u8>(), proptest::sample::select(&[0x81, 0x01, 0x80, 0xC1, 0xFE][..])], 0..200),
        places in vec(any::<usize>(), 0..12), deflate in any::<bool>(),
    ) {
        let rules = Rules { deflate, ..RULES };
        let whole = parse([&bytes[..]], rules);
        prop_assert_eq!(&parse(cut(&bytes, &places), rules), &whole);
        prop_assert_eq!(&parse(bytes.chunks(1), rules), &whole);
    }

    #[test]
    fn what_another_implementation_writes_is_understood(
        messages in vec((payload(), any::<[u8; 4]>(), 0..4usize, 1..30usize), 0..6), places in vec(any::<usize>(), 0..9),
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (payload, mask, kind, piece) in messages {
            let mut write = |mut frame: TheirFrame| {
                frame.header_mut().mask = Some(mask);
                frame.format(&mut bytes).unwrap();
            };
            match kind {
                0 => {
                    let payload = &payload[..payload.len().min(125)];
                    write(TheirFrame::ping(payload.to_vec()));
                    expected.push(Event::Ping(payload.to_vec()));
                }
                1 => {
                    let pieces: Vec<_> = payload.chunks(piece).collect();
                    let last = pieces.len().saturating_sub(1);
                    for (at, piece) in pieces.iter().enumerate() {
                        let data = if at == 0 { Data::Binary } else { Data::Continue };
                        write(TheirFrame::message(piece.to_vec(), OpCode::Data(data), at == last));
                    }
                    if !payload.is_empty() {
                        expected.push(Event::Binary(payload));
                    }
                }
                _ => {
                    let text = String::from_utf8_lossy(&payload).into_owned();
                    write(TheirFrame::message(text.clone(), OpCode::Data(Data::Text), true));
                    expected.push(Event::Text(text));
                }
            }
        }
        prop_assert_eq!(parse(cut(&bytes, &places), RULES), (expected, None));
    }

    #[test]
    fn a_compressed_message_is_understood_in_any_fragments(text in "[a-c€]{0,300}", pieces in 1..40usize) {
        let rules = Rules { deflate: true, ..RULES };
        let deflated = Deflate::default().text_frame(text.as_bytes(), &[]);
        let payload = &deflated[if deflated[1] < 126 { 2 } else { 4 }..];
        let chunks: Vec<_> = payload.chunks(pieces).collect();
        let bytes: Vec<u8> = (chunks.iter().enumerate())
            .flat_map(|(at, chunk)| {
                let fin = if at + 1 == chunks.len() { 0x80 } else { 0 };
                let first = fin | if at == 0 { 0x41 } else { 0 };
                Frame { first, masked: true, extended: 0, mask: [1, 2, 3, 4], payload: chunk.to_vec() }.bytes()
            })
            .collect();
        prop_assert_eq!(parse([&bytes[..]], rules), (vec![Event::Text(text)], None));
    }
}

#[test]
fn a_wrong_byte_is_found_when_it_arrives() {
    let deflate = Rules { deflate: true, ..RULES };
    for (bytes, rules, code) in [
        (&[0xC1][..], RULES, 1002),
        (&[0xA1], deflate, 1002),
        (&[0xC9], deflate, 1002),
        (&[0x83], RULES, 1002),
        (&[0x8B], RULES, 1002),
        (&[0x80], RULES, 1002),
        (&[0x09], RULES, 1002),
        (&[0x81, 0x01], RULES, 1002),
        (&[0x89, 0xFE], RULES, 1002),
        (&[0x81, 0xFE, 0x00, 0x7D], RULES, 1002),
        (&[0x81, 0xFF, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF], RULES, 1002),
        (&[0x82, 0xFF, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00], RULES, 1002),
        (&[0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], RULES, 1009),
        (&[0x81, 0xFE, 0x03, 0xE9], RULES, 1009),
        (&[0x81, 0x85, 0, 0, 0, 0, 0xF4, 0x90], RULES, 1007),
        (&[0x01, 0x81, 0, 0, 0, 0, 0xCE, 0x80, 0x85, 0, 0, 0, 0, b'a'], RULES, 1007),
        (&[0x01, 0x80, 0, 0, 0, 0, 0x81], RULES, 1002),
        (&[0x01, 0x80, 0, 0, 0, 0, 0xC0], deflate, 1002),
        (&[0x88, 0x81, 0, 0, 0, 0, 0x03], RULES, 1002),
    ] {
        assert_eq!(parse([bytes], rules), (Vec::new(), Some(code)), "{bytes:02x?}");
        assert_eq!(parse([&bytes[..bytes.len() - 1]], rules).1, None, "{bytes:02x?}: too early");
    }
}

#[test]
fn between_messages_nothing_is_kept() {
    let mut parser = Parser::default();
    let bytes = Frame { first: 0x89, masked: true, extended: 0, mask: [9; 4], payload: vec![7; 100] }.bytes();
    for cut in 1..bytes.len() {
        let (mut first, mut second) = bytes.split_at(cut);
        assert_eq!(parser.take(&mut first, RULES, &mut Deflate::default()), Ok(None));
        assert!(!parser.is_idle());
        assert!(matches!(parser.take(&mut second, RULES, &mut Deflate::default()), Ok(Some(Event::Ping(_)))));
        assert!(parser.is_idle());
    }
}
