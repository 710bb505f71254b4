//! Tag numbers of FIX 4.4 (FIX Protocol 4.4 with errata 20030618, volume 6) that this crate reads or writes.

macro_rules! tags {
    ($($name:ident = $number:literal),* $(,)?) => { $(pub const $name: u32 = $number;)* };
}

tags! {
    ACCOUNT = 1, AVG_PX = 6, BEGIN_SEQ_NO = 7, BEGIN_STRING = 8, BODY_LENGTH = 9, CHECK_SUM = 10, CL_ORD_ID = 11,
    CUM_QTY = 14, END_SEQ_NO = 16, EXEC_ID = 17, EXEC_REF_ID = 19, EXEC_TRANS_TYPE = 20, HANDL_INST = 21, LAST_PX = 31, LAST_QTY = 32,
    MSG_SEQ_NUM = 34, MSG_TYPE = 35, NEW_SEQ_NO = 36, ORDER_ID = 37, ORDER_QTY = 38, ORD_STATUS = 39, ORD_TYPE = 40,
    ORIG_CL_ORD_ID = 41, POSS_DUP_FLAG = 43, PRICE = 44, REF_SEQ_NUM = 45, SENDER_COMP_ID = 49, SENDING_TIME = 52,
    SIDE = 54, SYMBOL = 55, TARGET_COMP_ID = 56, TEXT = 58, TIME_IN_FORCE = 59, TRANSACT_TIME = 60, TRADE_DATE = 75,
    POSS_RESEND = 97,
    ENCRYPT_METHOD = 98, STOP_PX = 99, CXL_REJ_REASON = 102, ORD_REJ_REASON = 103, HEART_BT_INT = 108,
    TEST_REQ_ID = 112, ON_BEHALF_OF_COMP_ID = 115, ON_BEHALF_OF_SUB_ID = 116, ORIG_SENDING_TIME = 122,
    GAP_FILL_FLAG = 123, DK_REASON = 127, DELIVER_TO_COMP_ID = 128, DELIVER_TO_SUB_ID = 129, RESET_SEQ_NUM_FLAG = 141,
    ON_BEHALF_OF_LOCATION_ID = 144, DELIVER_TO_LOCATION_ID = 145, EXEC_TYPE = 150, LEAVES_QTY = 151,
    SECURITY_EXCHANGE = 207, TRADING_SESSION_ID = 336, TRAD_SES_STATUS = 340, REF_TAG_ID = 371, REF_MSG_TYPE = 372, SESSION_REJECT_REASON = 373,
    BUSINESS_REJECT_REF_ID = 379, BUSINESS_REJECT_REASON = 380, CXL_REJ_RESPONSE_TO = 434,
    TRADE_REPORT_TRANS_TYPE = 487, SECONDARY_EXEC_ID = 527,
    MASS_CANCEL_REQUEST_TYPE = 530, MASS_CANCEL_RESPONSE = 531, MASS_CANCEL_REJECT_REASON = 532,
    TOTAL_AFFECTED_ORDERS = 533, NO_AFFECTED_ORDERS = 534, AFFECTED_ORDER_ID = 535,
    NO_SIDES = 552, PREVIOUSLY_REPORTED = 570, TRADE_REPORT_ID = 571,
    TRADE_REPORT_REF_ID = 572,
    MASS_STATUS_REQ_ID = 584, MASS_STATUS_REQ_TYPE = 585, ORD_STATUS_REQ_ID = 790, COPY_MSG_INDICATOR = 797,
    TOT_NUM_REPORTS = 911, LAST_RPT_REQUESTED = 912, DEFAULT_APPL_VER_ID = 1137,
    // Above 5000 numbers are user-defined. This one is what venues that offer it mostly use.
    CANCEL_ON_DISCONNECT = 8013,
}

/// Whether a tag belongs to the standard header (volume 2, "Standard Message Header").
pub fn is_header(tag: u32) -> bool {
    matches!(
        tag,
        8 | 9 | 34 | 35 | 43 | 49 | 50 | 52 | 56 | 57 | 90 | 91 | 97 | 115 | 116 | 122 | 128 | 129
            | 142..=145 | 212 | 213 | 347 | 369 | 370 | 627..=630
            // FIXT 1.1: ApplVerID, CstmApplVerID, ApplExtID.
            | 1128 | 1129 | 1156
    )
}

/// Whether a tag belongs to the standard trailer.
pub fn is_trailer(tag: u32) -> bool {
    matches!(tag, 10 | 89 | 93)
}

/// The data tag whose value has the length that `length_tag` states, so that it may hold the field separator.
pub fn data_of(length_tag: u32) -> Option<u32> {
    match length_tag {
        90 => Some(91),
        93 => Some(89),
        95 | 212 | 348 | 350 | 352 | 354 | 356 | 358 | 360 | 362 | 364 | 445 | 618 | 621 => {
            Some(length_tag + 1)
        }
        // FIX 5.0.
        1184 | 1277 | 1280 | 1282 | 1397 | 1401 | 1403 | 1468 => Some(length_tag + 1),
        _ => None,
    }
}

/// Whether FIX 4.4 defines the message type (volume 6, tag 35).
pub fn is_message_type(kind: &[u8]) -> bool {
    match kind {
        [b'0'..=b'9'] => true,
        // U was never given out; it starts the user-defined types.
        [b'A'..=b'T' | b'V'..=b'Z' | b'a'..=b'z'] => true,
        [b'U', _, ..] => true,
        [b'A', b'A'..=b'Z'] => true,
        [b'B', b'A'..=b'H'] => true,
        _ => false,
    }
}
