package checks

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

const (
	authorizerPages = 4
	authorizerLimit = 100 // kept
	audienceLimit   = 50
)

// authorizers reads the authorizers of an API. Its id does not say whether it is an
// HTTP or WebSocket API or a REST API, which are two services.
func (b awsBuilder) authorizers(api string) Probe {
	return b.paged(b.probe(estate.CheckAuthorizers, "", "apigateway GetAuthorizers", api, "read the authorizers of API "+api, b.cfg.Checks.SlowEvery,
		func(ctx context.Context, s *clients.AWSServices) (estate.Data, error) {
			list, err := b.httpAuthorizers(ctx, s, api)
			if err != nil && b.client.Failure(err, "").Kind == estate.Missing {
				list, err = b.restAuthorizers(ctx, s, api)
			}
			if err != nil {
				return nil, err
			}
			return estate.Authorizers{API: api, Authorizers: list}, nil
		}), 4)
}

// httpAuthorizers are those of an HTTP or WebSocket API.
func (b awsBuilder) httpAuthorizers(ctx context.Context, s *clients.AWSServices, api string) ([]estate.Authorizer, error) {
	return allPages(func(token *string) ([]estate.Authorizer, *string, error) {
		ctx, cancel := b.page(ctx)
		defer cancel()
		out, err := s.API.GetAuthorizers(ctx, &apigatewayv2.GetAuthorizersInput{ApiId: aws.String(api), MaxResults: aws.String("100"), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		if out.Items == nil && aws.ToString(out.NextToken) == "" {
			return nil, nil, hollow("its list of authorizers")
		}
		var list []estate.Authorizer
		for _, one := range out.Items {
			a := estate.Authorizer{
				ID: b.name(one.AuthorizerId), Name: b.name(one.Name), Type: b.client.Text(string(one.AuthorizerType), nameLimit),
				Function: b.authorizerFunction(one.AuthorizerUri),
			}
			if jwt := one.JwtConfiguration; jwt != nil {
				a.Issuer = b.arn(jwt.Issuer)
				for _, audience := range jwt.Audience[:min(len(jwt.Audience), audienceLimit)] {
					a.Audience = append(a.Audience, b.client.Text(audience, nameLimit))
				}
			}
			list = append(list, a)
		}
		return list, out.NextToken, nil
	})
}

// restAuthorizers are those of a REST API. Its JWT authorizers are Cognito user
// pools, whose issuer follows from their ARN.
func (b awsBuilder) restAuthorizers(ctx context.Context, s *clients.AWSServices, api string) ([]estate.Authorizer, error) {
	return allPages(func(token *string) ([]estate.Authorizer, *string, error) {
		ctx, cancel := b.page(ctx)
		defer cancel()
		out, err := s.REST.GetAuthorizers(ctx, &apigateway.GetAuthorizersInput{RestApiId: aws.String(api), Limit: aws.Int32(100), Position: token})
		if err != nil {
			return nil, nil, err
		}
		var list []estate.Authorizer
		for _, one := range out.Items {
			a := estate.Authorizer{
				ID: b.name(one.Id), Name: b.name(one.Name), Type: b.client.Text(string(one.Type), nameLimit), Function: b.authorizerFunction(one.AuthorizerUri),
			}
			if len(one.ProviderARNs) == 1 {
				a.Issuer = b.client.Text(poolIssuer(one.ProviderARNs[0]), arnLimit)
			}
			list = append(list, a)
		}
		return list, out.Position, nil
	})
}

// allPages reads the pages of a list of authorizers, up to their bound.
func allPages(page func(token *string) ([]estate.Authorizer, *string, error)) ([]estate.Authorizer, error) {
	all := []estate.Authorizer{}
	var token *string
	for range authorizerPages {
		list, next, err := page(token)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if aws.ToString(next) == "" || len(all) >= authorizerLimit {
			return all[:min(len(all), authorizerLimit)], nil
		}
		token = next
	}
	return nil, &estate.Failure{Kind: estate.BadAnswer, Detail: "the list of authorizers does not end"}
}

// poolIssuer is the issuer of the tokens of a Cognito user pool, by its ARN
// arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID; empty for anything else.
func poolIssuer(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != "cognito-idp" {
		return ""
	}
	pool, ok := strings.CutPrefix(parts[5], "userpool/")
	if !ok {
		return ""
	}
	return "https://cognito-idp." + parts[3] + ".amazonaws.com/" + pool
}

// authorizerFunction is the function in the URI of a Lambda authorizer:
// arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations.
func (b awsBuilder) authorizerFunction(uri *string) string {
	_, rest, ok := strings.Cut(aws.ToString(uri), "/functions/")
	if !ok {
		return ""
	}
	return b.client.Text(strings.TrimSuffix(rest, "/invocations"), arnLimit)
}
