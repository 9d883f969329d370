//! The names of character sets.

use super::{Kind, Order};
use encoding_rs::{self as standard, Encoding};

/// Java's names and aliases, in small letters, and what they stand for. The first of a line is Java's own name.
pub(super) type Line = (&'static [&'static str], &'static str, Kind);

macro_rules! other {
    ($java:literal, $standard:ident, $($alias:literal),+) => {
        (&[$($alias),+] as &[&str], $java, Kind::Other($java, &standard::$standard as &Encoding))
    };
}

#[rustfmt::skip]
pub(super) static ALL: &[Line] = &[
    (&["utf-8", "utf8", "unicode-1-1-utf-8"], "UTF-8", Kind::Utf8),
    (&["us-ascii", "ascii", "646", "ansi_x3.4-1968", "ansi_x3.4-1986", "ibm367", "cp367", "iso646-us", "iso_646.irv:1983",
       "iso_646.irv:1991", "ascii7", "csascii", "default", "iso-ir-6", "us"], "US-ASCII", Kind::Ascii),
    (&["iso-8859-1", "iso8859-1", "iso8859_1", "iso_8859-1", "iso_8859_1", "iso_8859-1:1987", "8859_1", "latin1", "l1", "819",
       "cp819", "ibm819", "ibm-819", "csisolatin1", "iso-ir-100"], "ISO-8859-1", Kind::Latin1),
    (&["utf-16", "utf_16", "utf16", "unicode", "unicodebig"], "UTF-16", Kind::Utf16(Order::Marked)),
    (&["utf-16be", "utf_16be", "x-utf-16be", "unicodebigunmarked", "iso-10646-ucs-2"], "UTF-16BE", Kind::Utf16(Order::Big)),
    (&["utf-16le", "utf_16le", "x-utf-16le", "unicodelittleunmarked"], "UTF-16LE", Kind::Utf16(Order::Little)),
    (&["x-utf-16le-bom", "unicodelittle"], "x-UTF-16LE-BOM", Kind::Utf16(Order::MarkedLittle)),
    (&["utf-32", "utf_32", "utf32"], "UTF-32", Kind::Utf32(Order::Marked)),
    (&["utf-32be", "utf_32be", "x-utf-32be"], "UTF-32BE", Kind::Utf32(Order::BigOrMarked)),
    (&["utf-32le", "utf_32le", "x-utf-32le"], "UTF-32LE", Kind::Utf32(Order::LittleOrMarked)),
    (&["x-utf-32le-bom", "utf-32le-bom", "utf_32le_bom"], "X-UTF-32LE-BOM", Kind::Utf32(Order::MarkedLittle)),
    other!("ISO-8859-2", ISO_8859_2_INIT, "iso-8859-2", "iso8859-2", "iso8859_2", "iso_8859-2", "8859_2", "latin2", "l2"),
    other!("ISO-8859-3", ISO_8859_3_INIT, "iso-8859-3", "iso8859-3", "iso8859_3", "iso_8859-3", "8859_3", "latin3", "l3"),
    other!("ISO-8859-4", ISO_8859_4_INIT, "iso-8859-4", "iso8859-4", "iso8859_4", "iso_8859-4", "8859_4", "latin4", "l4"),
    other!("ISO-8859-5", ISO_8859_5_INIT, "iso-8859-5", "iso8859-5", "iso8859_5", "iso_8859-5", "8859_5", "cyrillic"),
    other!("ISO-8859-6", ISO_8859_6_INIT, "iso-8859-6", "iso8859-6", "iso8859_6", "iso_8859-6", "8859_6", "arabic"),
    other!("ISO-8859-7", ISO_8859_7_INIT, "iso-8859-7", "iso8859-7", "iso8859_7", "iso_8859-7", "8859_7", "greek"),
    other!("ISO-8859-8", ISO_8859_8_INIT, "iso-8859-8", "iso8859-8", "iso8859_8", "iso_8859-8", "8859_8", "hebrew"),
    (&["iso-8859-9", "iso8859-9", "iso8859_9", "iso_8859-9", "8859_9", "latin5", "l5"], "ISO-8859-9",
        Kind::OtherWithControls("ISO-8859-9", &standard::WINDOWS_1254_INIT as &Encoding)),
    other!("ISO-8859-13", ISO_8859_13_INIT, "iso-8859-13", "iso8859-13", "iso8859_13", "iso_8859-13", "8859_13"),
    other!("ISO-8859-15", ISO_8859_15_INIT, "iso-8859-15", "iso8859-15", "iso8859_15", "iso_8859-15", "8859_15", "latin9", "latin-9", "l9"),
    other!("ISO-8859-16", ISO_8859_16_INIT, "iso-8859-16", "iso8859_16", "iso_8859-16", "latin10", "l10"),
    other!("windows-1250", WINDOWS_1250_INIT, "windows-1250", "cp1250", "cp5346"),
    other!("windows-1251", WINDOWS_1251_INIT, "windows-1251", "cp1251", "cp5347", "ansi-1251"),
    other!("windows-1252", WINDOWS_1252_INIT, "windows-1252", "cp1252", "cp5348", "ibm-1252", "ibm1252"),
    other!("windows-1253", WINDOWS_1253_INIT, "windows-1253", "cp1253", "cp5349"),
    other!("windows-1254", WINDOWS_1254_INIT, "windows-1254", "cp1254", "cp5350"),
    other!("windows-1255", WINDOWS_1255_INIT, "windows-1255", "cp1255"),
    other!("windows-1256", WINDOWS_1256_INIT, "windows-1256", "cp1256"),
    other!("windows-1257", WINDOWS_1257_INIT, "windows-1257", "cp1257", "cp5353"),
    other!("windows-1258", WINDOWS_1258_INIT, "windows-1258", "cp1258"),
    other!("x-windows-874", WINDOWS_874_INIT, "x-windows-874", "windows-874", "ms874", "ms-874", "tis-620", "tis620"),
    other!("IBM866", IBM866_INIT, "ibm866", "ibm-866", "cp866", "866", "csibm866"),
    other!("KOI8-R", KOI8_R_INIT, "koi8-r", "koi8_r", "koi8", "cskoi8r"),
    other!("KOI8-U", KOI8_U_INIT, "koi8-u", "koi8_u"),
    other!("x-MacRoman", MACINTOSH_INIT, "x-macroman", "macroman"),
    other!("x-MacCyrillic", X_MAC_CYRILLIC_INIT, "x-maccyrillic", "maccyrillic"),
    other!("windows-31j", SHIFT_JIS_INIT, "windows-31j", "ms932", "windows-932", "cswindows31j",
        "shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "csshiftjis"),
    other!("EUC-JP", EUC_JP_INIT, "euc-jp", "euc_jp", "eucjp", "eucjis", "x-euc-jp", "x-eucjp"),
    other!("x-windows-949", EUC_KR_INIT, "x-windows-949", "ms949", "ms_949", "windows-949", "windows949",
        "euc-kr", "euc_kr", "euckr", "ksc5601", "ks_c_5601-1987", "ksc_5601"),
    other!("GBK", GBK_INIT, "gbk", "cp936", "windows-936", "gb2312", "gb2312-80", "gb2312-1980", "euc-cn", "euc_cn", "euccn", "x-euc-cn"),
    other!("GB18030", GB18030_INIT, "gb18030", "gb18030-2022"),
    other!("Big5", BIG5_INIT, "big5", "csbig5", "big5-hkscs", "big5_hkscs", "big5hk", "big5hkscs"),
];
