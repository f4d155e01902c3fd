// Every bound of the store, with its unit in its name and its reason beside it. Tunables of a cell live in cell/config.ts.

const KIB = 1024;
const MIB = 1024 * KIB;

/** S2 v1 API, section 2.1: what one append may hold. */
export const BATCH_RECORDS_MAX = 1_000;
export const BATCH_METERED_BYTES_MAX = MIB;

/** A chunk holds at least one frame, however large; a store accepts chunks up to this. */
export const CHUNK_BYTES_MAX = 8 * MIB;

/** S2 v1 API, section 1.7. */
export const BASIN_NAME_BYTES_MIN = 8;
export const BASIN_NAME_BYTES_MAX = 48;
export const STREAM_NAME_BYTES_MAX = 512;
export const ACCESS_TOKEN_ID_BYTES_MAX = 96;
export const LOCATION_NAME_BYTES_MAX = 64;
export const FENCING_TOKEN_BYTES_MAX = 36;
export const REQUEST_TOKEN_BYTES_MAX = 36;
export const LIST_LIMIT_MAX = 1_000;

/** What a customer's key holds, whatever the cipher; and the characters of it in base64. */
export const ENCRYPTION_KEY_BYTES = 32;
export const ENCRYPTION_KEY_CHARS_MAX = 44;
/**
 * The last sequence number of a record under aes-256-gcm. Its nonces are drawn at random and have 96 bits: after 2^32 of them
 * under one key the chance that two were the same is 2^-33, and what they protect would be lost.
 */
export const AES_GCM_SEQ_NUM_MAX = 2 ** 32 - 1;

/** S2 v1 API, section 3: a unary read waits at most this long. */
export const UNARY_WAIT_SECS_MAX = 60;

/** S2 v1 API, section 4.2: a session's frame, and what it may hold once decompressed. */
export const SESSION_FRAME_BYTES_MAX = 2 * MIB;

/** A legal 1 MiB batch is 1.4 MiB in base64 JSON; raw JSON may escape every byte. */
export const REQUEST_BODY_BYTES_MAX = 8 * MIB;

/** One metadata transaction (DynamoDB's own limit). */
export const METADATA_WRITES_MAX = 100;
