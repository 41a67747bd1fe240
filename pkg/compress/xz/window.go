package xz

// slack is how far one symbol, and a copy in steps of eight bytes, may write behind
// where decoding stops.
const slack = maxMatch + 8

// window is the last bytes that were decoded, as far back as a match may go, and those
// that were not read yet. It grows with what is decoded, not with what a header
// promises.
type window struct {
	buf   []byte
	begin int   // of what matches may refer to
	read  int   // up to where it was read
	end   int   // up to where it was decoded
	size  int   // of the dictionary
	total int64 // bytes decoded since the dictionary was forgotten
}

// forget begins a dictionary anew; unread bytes stay.
func (w *window) forget() { w.begin, w.total = w.end, 0 }

// room makes place for n more bytes; what was read and is out of a match's reach goes.
func (w *window) room(n int) {
	if w.end+n+slack <= len(w.buf) {
		return
	}
	from := min(max(w.begin, w.end-w.size), w.read)
	live := w.end - from
	if from > 0 && (live+n+slack)*2 <= len(w.buf) {
		copy(w.buf, w.buf[from:w.end])
	} else {
		// Twice what is needed, so that each byte is moved about once.
		grown := make([]byte, min((live+n+slack)*2, (w.size+n+slack)*2+live))
		copy(grown, w.buf[from:w.end])
		w.buf = grown
	}
	w.begin = max(w.begin-from, 0)
	w.read -= from
	w.end -= from
}

// take copies what was not read yet.
func (w *window) take(p []byte) int {
	n := copy(p, w.buf[w.read:w.end])
	w.read += n
	return n
}
