/** Seconds between the epochs of NTP (1900) and Unix (1970). */
const NTP_OFFSET_MS = 2_208_988_800_000;

/** Longest end-to-end latency that is believed; beyond it, or below zero, the two clocks differ. */
const MAX_BELIEVED_MS = 60_000;

/**
 * Milliseconds since the newest packet's picture or sound was captured, from its absolute capture time. Only as right as
 * the clocks of publisher and viewer agree; null if unknown or not to be believed.
 */
export function captureAgeMs(receiver: RTCRtpReceiver, unixNow: number): number | null {
  const source = receiver.getSynchronizationSources()[0] as
    (RTCRtpSynchronizationSource & { captureTimestamp?: number }) | undefined;
  const captured = source?.captureTimestamp;
  if (captured === undefined || captured === 0) return null;
  return believed(unixNow - (captured - NTP_OFFSET_MS));
}

/** Null for an age that only differing clocks can explain. */
export function believed(ageMs: number): number | null {
  return ageMs >= 0 && ageMs <= MAX_BELIEVED_MS ? ageMs : null;
}
