package ostreecmd

// sentence is an error in the words of stock ostree, which scripts look for, where it
// has words of its own.
func sentence(err error) string {
	for _, words := range []func(error) string{
		signSentence,
		configSentence,
		remoteSentence,
		unusableSentence,
		fsckSentence,
		lockSentence,
		pullSentence,
		transferSentence,
		refSentence,
		objectSentence,
		commitSentence,
		checkoutSentence,
	} {
		if s := words(err); s != "" {
			return s
		}
	}
	return err.Error()
}
