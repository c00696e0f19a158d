package clients

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/smithy-go"

	"warroom/internal/estate"
)

// credentialsError is why we have no identity to call AWS with.
type credentialsError struct {
	err  error
	next string // how this account's credentials are renewed
}

func (e *credentialsError) Error() string { return "get AWS credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// kindOf judges it: whatever kept us from getting credentials, we have no
// identity; only when the issuer asked us to slow down is that the better word.
func (e *credentialsError) kindOf() (estate.FailureKind, string, string) {
	var api smithy.APIError
	if errors.As(e.err, &api) {
		kind, text, _ := sortAPI(api, status(e.err))
		if kind == estate.Throttled {
			return kind, text, ""
		}
		return estate.NoIdentity, "cannot get AWS credentials: " + text, e.next
	}
	text := e.err.Error()
	switch {
	case strings.Contains(text, "no EC2 IMDS role found"):
		text = "no AWS credentials: none in the environment or shared files, and the instance metadata gives none"
	case errors.Is(e.err, context.DeadlineExceeded):
		text = "no AWS credentials within the timeout: none in the environment or shared files, and their issuer or the instance metadata does not answer"
	default:
		text = "cannot get AWS credentials: " + inner(e.err)
	}
	return estate.NoIdentity, text, e.next
}

// awsCodes are the error codes whose kind their name does not show. Sources: the
// common errors of the AWS APIs, and those of Secrets Manager, KMS and STS.
var awsCodes = map[string]estate.FailureKind{
	"UnauthorizedOperation": estate.Denied,
	"AuthorizationError":    estate.Denied,
	"NotAuthorized":         estate.Denied,
	"OptInRequired":         estate.Denied,

	"RequestExpired":                      estate.NoIdentity,
	"UnrecognizedClientException":         estate.NoIdentity,
	"InvalidClientTokenId":                estate.NoIdentity,
	"InvalidAccessKeyId":                  estate.NoIdentity,
	"InvalidToken":                        estate.NoIdentity,
	"SignatureDoesNotMatch":               estate.NoIdentity,
	"InvalidSignatureException":           estate.NoIdentity,
	"IncompleteSignature":                 estate.NoIdentity,
	"IncompleteSignatureException":        estate.NoIdentity,
	"MissingAuthenticationToken":          estate.NoIdentity,
	"AuthFailure":                         estate.NoIdentity,
	"RequestTimeTooSkewed":                estate.NoIdentity,
	"InvalidIdentityToken":                estate.NoIdentity,
	"UnauthorizedException":               estate.NoIdentity,
	"MissingAuthenticationTokenException": estate.NoIdentity,

	"RequestLimitExceeded":                   estate.Throttled,
	"BandwidthLimitExceeded":                 estate.Throttled,
	"LimitExceeded":                          estate.Throttled,
	"LimitExceededException":                 estate.Throttled,
	"RequestThrottled":                       estate.Throttled,
	"RequestThrottledException":              estate.Throttled,
	"PriorRequestNotComplete":                estate.Throttled,
	"ProvisionedThroughputExceededException": estate.Throttled,
	"SlowDown":                               estate.Throttled,

	"InternalFailure":            estate.ServerError,
	"InternalError":              estate.ServerError,
	"InternalServerError":        estate.ServerError,
	"InternalServiceError":       estate.ServerError,
	"InternalServiceFault":       estate.ServerError,
	"KMSInternalException":       estate.ServerError,
	"DependencyTimeoutException": estate.ServerError,
	"ServiceException":           estate.ServerError,
	"ServiceUnavailable":         estate.ServerError,

	// The key that protects the secret says no.
	"DecryptionFailure":        estate.Refused,
	"EncryptionFailure":        estate.Refused,
	"DisabledException":        estate.Refused,
	"KMSInvalidStateException": estate.Refused,
	"KeyUnavailableException":  estate.Refused,
}

// sortAPI judges what AWS itself said, code before HTTP status.
func sortAPI(api smithy.APIError, status int) (estate.FailureKind, string, string) {
	code, words := api.ErrorCode(), api.ErrorMessage()
	if code == unknownError && status != 0 {
		return sortStatus(status) // a proxy's page: AWS always says which error
	}
	text := code
	if words != "" && words != code && words != unknownError {
		text += ": " + words
	}
	kind := awsKind(code, words, status, api.ErrorFault())
	switch kind {
	case estate.Denied:
		return kind, text, "allow this call to the role that makes it; the docs list what it needs"
	case estate.NoIdentity:
		if skewed(code, words) {
			return kind, text, "check this machine's clock: AWS takes signatures at most 5 minutes old"
		}
		return kind, text, nextRenew
	case estate.Throttled:
		return kind, text, "the check slows down by itself; find who else calls this API"
	}
	return kind, text, ""
}

// unknownError is the SDK's word for an answer that holds no error of AWS.
const unknownError = "UnknownError"

const nextRenew = "renew the AWS credentials"

func awsKind(code, words string, status int, fault smithy.ErrorFault) estate.FailureKind {
	if kind, ok := awsCodes[code]; ok {
		return kind
	}
	switch {
	case strings.HasPrefix(code, "AccessDenied"), strings.HasSuffix(code, "AccessDeniedException"):
		return estate.Denied
	case strings.HasPrefix(code, "ExpiredToken"):
		return estate.NoIdentity
	case strings.HasPrefix(code, "Throttl"), strings.HasPrefix(code, "TooManyRequests"):
		return estate.Throttled
	case strings.HasSuffix(code, "NotFound"), strings.HasSuffix(code, "NotFoundException"), code == "NoSuchEntity":
		return estate.Missing
	case code == "InvalidRequestException" && (strings.Contains(words, "marked for deletion") || strings.Contains(words, "marked deleted") || strings.Contains(words, "scheduled for deletion")):
		return estate.Missing
	case code == "InvalidRequestException": // not as things stand there
		return estate.Refused
	case strings.HasPrefix(code, "ServiceUnavailable"), strings.HasPrefix(code, "Internal"), status >= 500, status == 0 && fault == smithy.FaultServer:
		return estate.ServerError
	case status == 429:
		return estate.Throttled
	}
	return estate.Broken
}

// skewed reports whether a signature was refused for its time.
func skewed(code, words string) bool {
	return code == "RequestTimeTooSkewed" || code == "RequestExpired" ||
		strings.Contains(words, "Signature expired") || strings.Contains(words, "Signature not yet current")
}
