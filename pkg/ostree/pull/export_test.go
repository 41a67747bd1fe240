package pull

import "time"

// FlushEvery sets how much time of work a kill may cost.
func FlushEvery(d time.Duration) { flushEvery = d }
