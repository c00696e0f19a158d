package cli

// Exit codes that mean the same for every command. Commands that judge an estate
// have their own beside them.
const (
	exitFailed = 1  // it was tried, and failed
	exitUsage  = 64 // wrong use or bad configuration
)

// exitError is an error with the code with which the program ends.
type exitError struct {
	code int
	err  error
}

// Error is the text of the error within.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap is the error within.
func (e *exitError) Unwrap() error { return e.err }

// usage marks err as wrong use or bad configuration. It keeps nil.
func usage(err error) error { return withCode(exitUsage, err) }

// failed marks err as something that was tried and failed. It keeps nil.
func failed(err error) error { return withCode(exitFailed, err) }

func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: code, err: err}
}
