package repo

// Stats count what a transaction was given to write.
type Stats struct {
	Metadata        int // dirtrees, dirmetas and commits
	MetadataWritten int // of these, that were not there
	Content         int // files and links
	ContentWritten  int
	ContentBytes    int64 // of files that were written, before compression
}

// Stats tells what the transaction has written so far. Objects that the caller knew to
// be there are not counted.
func (t *Txn) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

func (t *Txn) countMetadata(written bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Metadata++
	if written {
		t.stats.MetadataWritten++
	}
}

func (t *Txn) countContent(size int64, written bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Content++
	if written {
		t.stats.ContentWritten++
		t.stats.ContentBytes += size
	}
}
