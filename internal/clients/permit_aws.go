package clients

import (
	"context"
	"net/http"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// awsReads are the operations that change nothing. Any other one counts as a change,
// also one that this program never calls.
var awsReads = map[string]bool{
	"sts:GetCallerIdentity": true,
	// It gives us the identity to read with.
	"sts:AssumeRole":                true,
	"sts:AssumeRoleWithWebIdentity": true,

	"secretsmanager:DescribeSecret":       true,
	"secretsmanager:GetSecretValue":       true,
	"secretsmanager:BatchGetSecretValue":  true,
	"secretsmanager:ListSecrets":          true,
	"secretsmanager:ListSecretVersionIds": true,
	"secretsmanager:GetResourcePolicy":    true,

	"lambda:GetFunctionConfiguration": true,
	"lambda:GetFunctionConcurrency":   true,
	"lambda:GetPolicy":                true,

	"kms:DescribeKey":          true,
	"kms:GetKeyRotationStatus": true,
	"kms:GetKeyPolicy":         true,

	"cloudwatch:GetMetricData": true,
	"logs:FilterLogEvents":     true,

	"cloudtrail:LookupEvents":      true,
	"cloudtrail:DescribeTrails":    true,
	"cloudtrail:GetTrailStatus":    true,
	"cloudtrail:GetEventSelectors": true,

	"elasticloadbalancing:DescribeLoadBalancers":        true,
	"elasticloadbalancing:DescribeListeners":            true,
	"elasticloadbalancing:DescribeListenerCertificates": true,

	"acm:DescribeCertificate": true,
	"acm:GetCertificate":      true,
	"acm:ListCertificates":    true,

	"iam:SimulatePrincipalPolicy":  true,
	"iam:ListAttachedRolePolicies": true,

	"apigateway:GetAuthorizers": true,
}

// awsNames are the services whose name in IAM is not their id in lower case.
var awsNames = map[string]string{
	"CloudWatch Logs":           "logs",
	"Elastic Load Balancing v2": "elasticloadbalancing",
	"ApiGatewayV2":              "apigateway",
}

// awsOperation names the operation of a context as IAM does.
func awsOperation(ctx context.Context) string {
	service := awsmiddleware.GetServiceID(ctx)
	name, known := awsNames[service]
	if !known {
		name = strings.ToLower(strings.ReplaceAll(service, " ", ""))
	}
	return name + ":" + awsmiddleware.GetOperationName(ctx)
}

// call is a request to this account.
func (a *AWS) call(req *http.Request) Call {
	name := awsOperation(req.Context())
	return Call{System: "aws:" + a.account.Name, Name: name, Changes: !awsReads[name]}
}

// once keeps the SDK from repeating a call that changes something: what came of the
// first is found out by looking, never by doing it again.
func once(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("WarroomOnce", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		out, meta, err := next.HandleFinalize(ctx, in)
		if err != nil && !awsReads[awsOperation(ctx)] {
			err = &unrepeated{err}
		}
		return out, meta, err
	}), "Retry", middleware.After)
}

// unrepeated is an error after which the SDK does not try again.
type unrepeated struct{ err error }

func (e *unrepeated) Error() string        { return e.err.Error() }
func (e *unrepeated) Unwrap() error        { return e.err }
func (e *unrepeated) RetryableError() bool { return false }
