package awssim

import "fmt"

// apiError is an error as AWS would answer it.
type apiError struct {
	code   string
	msg    string
	status int // 0 means the protocol's default for a client error
	reason string
}

// Error satisfies error.
func (e *apiError) Error() string { return e.code + ": " + e.msg }

func errf(code, format string, a ...any) *apiError {
	return &apiError{code: code, msg: fmt.Sprintf(format, a...)}
}

func statusf(status int, code, format string, a ...any) *apiError {
	return &apiError{status: status, code: code, msg: fmt.Sprintf(format, a...)}
}

func invalidParameter(format string, a ...any) *apiError {
	return errf("InvalidParameterException", format, a...)
}

func invalidRequest(format string, a ...any) *apiError {
	return errf("InvalidRequestException", format, a...)
}

func notFound(format string, a ...any) *apiError {
	return errf("ResourceNotFoundException", format, a...)
}

// constraint is the message of AWS's request validation.
func constraint(field, rule string) *apiError {
	return errf("ValidationException", "1 validation error detected: Value at '%s' failed to satisfy constraint: %s", field, rule)
}
