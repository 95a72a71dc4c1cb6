// Fills a Frame by name and compares it with the one of C#: frame SAME OUT. Then each word of the head is another one.
mod sample;
use sample::*;

/// Bytes at an address that is a multiple of 8.
fn words(bytes: &[u8]) -> Vec<u64> {
    let mut words = vec![0u64; (bytes.len() + 7) / 8];
    for (i, &byte) in bytes.iter().enumerate() {
        words[i / 8] |= (byte as u64) << (8 * (i % 8));
    }
    words
}

unsafe fn fill(value: *mut Frame) {
    let frame = &mut *value;
    frame.type_ = 1;
    frame.small = -2;
    frame.width = 3;
    frame.height = -4;
    frame.stride = 5;
    frame.signed = -6;
    frame.large = 0xF000_0000_0000_0007;
    frame.negative = -8;
    frame.single = 1.5;
    frame.double = -2.25;
    frame.format = PixelFormat::BGRA32;
    frame.marks = Marks::KEY | Marks::LOST;
    assert!(frame.marks.contains(Marks::LOST) && !frame.marks.contains(Marks::LATE));
    frame.depth = Depth::LOWEST;
    let place = |point: &mut Point, first: f64| {
        point.x = first;
        point.y = first + 1.0;
        point.weight = first as f32 + 2.0;
    };
    place(&mut frame.camera, 1.0);
    place(&mut frame.corners[0], 4.0);
    place(&mut frame.corners[1], 7.0);
    frame.samples = [10, -11, 12];
    for i in 0..2 {
        for j in 0..3 {
            frame.matrix[i][j] = ((i + 1) * 100 + j) as i16;
        }
    }
    assert!(set_text(&mut frame.title, "grün") && text(&frame.title) == "grün");
    assert!(set_text(&mut frame.titles[0], "one") && set_text(&mut frame.titles[1], "twelve bytes"));
    assert!(!set_text(&mut frame.titles[1], "thirteen byte") && text(&frame.titles[1]) == "twelve bytes");
    frame.shape.kind = 13;
    frame.shape.at_8.centre.y = 14.0;
    frame.shape.at_8.centre.weight = 15.0;
    frame.shape.at_8.code = 0x1122_3344_5566_7788;
    frame.shape.at_8.middle.middle = 0xABCD;
    frame.shape.last = 16;
    Frame::store_sequence(value, 17);
    assert_eq!(Frame::load_sequence(value), 17);
    Frame::store_readers(value, 18);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let same = std::fs::read(&arguments[1]).unwrap();
    let length = same.len();
    let mut theirs = words(&same);
    let mut own = vec![0u64; theirs.len()];
    let refused = |words: &mut Vec<u64>| match unsafe { open_layout::<Frame>(words.as_mut_ptr() as *mut u8, length) } {
        Ok(_) => println!("opened"),
        Err(failure) => println!("{}", failure),
    };
    unsafe {
        let value = open_layout::<Frame>(theirs.as_mut_ptr() as *mut u8, length).unwrap();
        assert_eq!(Frame::load_sequence(value), 17);
        assert!(Frame::is_laid_out() && Shape::is_laid_out() && Point::is_laid_out());
        refused(&mut own);
        fill(create_layout::<Frame>(own.as_mut_ptr() as *mut u8, length).unwrap());
        let bytes = std::slice::from_raw_parts(own.as_ptr() as *const u8, length);
        std::fs::write(&arguments[2], bytes).unwrap();
    }
    for word in [4, 8, 16, 20, 0] {
        let mut other = same.clone();
        other[word] ^= 1;
        refused(&mut words(&other));
    }
}
