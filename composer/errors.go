package composer

// hintError is an error with a sentence that says what to do.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// Hint is the sentence.
func (e *hintError) Hint() string { return e.hint }

// kindError is an error that is of a kind, too, without saying so once more.
type kindError struct {
	error
	kind error
}

func (e kindError) Unwrap() []error { return []error{e.error, e.kind} }
