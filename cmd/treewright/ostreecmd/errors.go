package ostreecmd

// sentence is an error in the words of stock ostree, which scripts look for, where it
// has words of its own.
func sentence(err error) string {
	return err.Error()
}
