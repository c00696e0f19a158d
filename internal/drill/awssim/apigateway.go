package awssim

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// API is an API of API Gateway: an HTTP or WebSocket API of version 2, or a REST
// API of version 1.
type API struct {
	ID          string // ten characters
	Name        string
	Description string
	Protocol    string // HTTP, WEBSOCKET or REST; HTTP when empty
	Created     time.Time
	Authorizers []Authorizer
}

// Authorizer is one authorizer of an API.
type Authorizer struct {
	ID       string // made from the name and the seed when empty
	Name     string
	Type     string // JWT and REQUEST of version 2; TOKEN, REQUEST and COGNITO_USER_POOLS of REST
	Issuer   string
	Audience []string
	Function string   // ARN of a Lambda authorizer
	Pools    []string // ARNs of Cognito user pools
	Source   string   // where the token is; the Authorization header when empty
}

// AddAPI adds or replaces an API.
func (s *Sim) AddAPI(a API) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Protocol = cmp.Or(a.Protocol, "HTTP")
	if a.ID == "" {
		a.ID = strings.ReplaceAll(s.uuid("api", a.Name), "-", "")[:10]
	}
	if a.Created.IsZero() {
		a.Created = s.now().AddDate(0, 0, -400).Truncate(time.Second)
	}
	a.Authorizers = slices.Clone(a.Authorizers)
	for i := range a.Authorizers {
		if z := &a.Authorizers[i]; z.ID == "" {
			z.ID = strings.ReplaceAll(s.uuid("authorizer", a.ID, z.Name), "-", "")[:6]
		}
	}
	s.apis = slices.DeleteFunc(s.apis, func(x API) bool { return x.ID == a.ID })
	s.apis = append(s.apis, a)
	slices.SortFunc(s.apis, func(x, y API) int { return strings.Compare(x.ID, y.ID) })
}

// apiRoute names the operation of API Gateway that a path stands for, with its
// input. Both versions share a service, and the names of what reads authorizers:
// those of version 1 have Rest in them.
func apiRoute(r *http.Request) (string, map[string]any) {
	in := map[string]any{}
	for k, v := range r.URL.Query() {
		in[k] = queryText(v[0])
	}
	f := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	rest := ""
	switch {
	case len(f) > 1 && f[0] == "v2" && f[1] == "apis":
		f = f[1:]
	case f[0] == "restapis":
		rest = "Rest"
	default:
		return "", in
	}
	for i, key := range []string{"", "api", "", "authorizer"} {
		if key != "" && i < len(f) {
			id, err := url.PathUnescape(f[i])
			if err != nil {
				return "", in
			}
			in[key] = id
		}
	}
	in["path"] = "/" + strings.Join(f, "/")
	if r.Method != http.MethodGet || len(f) > 2 && f[2] != "authorizers" {
		return "", in
	}
	switch len(f) {
	case 1:
		return "Get" + rest + "Apis", in
	case 2:
		return "Get" + rest + "Api", in
	case 3:
		return "Get" + rest + "Authorizers", in
	case 4:
		return "Get" + rest + "Authorizer", in
	}
	return "", in
}

func apiOperations() []operation {
	const gw = "apigateway"
	ops := []operation{
		define(gw, "GetApis", getAPIs),
		define(gw, "GetApi", getAPI),
		define(gw, "GetAuthorizers", getAuthorizers),
		define(gw, "GetAuthorizer", getAuthorizer),
		define(gw, "GetRestApis", getRestAPIs),
		define(gw, "GetRestApi", getRestAPI),
		define(gw, "GetRestAuthorizers", getRestAuthorizers),
		define(gw, "GetRestAuthorizer", getRestAuthorizer),
	}
	for i := range ops {
		ops[i].action = "apigateway:GET"
	}
	return ops
}

type apiInput struct {
	API        string `aws:"api"`
	Authorizer string `aws:"authorizer"`
	NextToken  string `aws:"nextToken"`
	MaxResults *int   `aws:"maxResults"`
	Position   string `aws:"position"`
	Limit      *int   `aws:"limit"`
}

func apiError404(format string, a ...any) *apiError {
	return statusf(http.StatusNotFound, "NotFoundException", format, a...)
}

// api finds an API of a version; the caller holds s.mu.
func (c *call) api(id string, rest bool) (API, *apiError) {
	for _, a := range c.sim.apis {
		if a.ID == id && (a.Protocol == "REST") == rest {
			return a, nil
		}
	}
	return API{}, apiError404("Invalid API identifier specified %s:%s", c.sim.account, clip(id, 80))
}

// apisOf are the APIs of a version; the caller holds s.mu.
func (s *Sim) apisOf(rest bool) []API {
	return slices.DeleteFunc(slices.Clone(s.apis), func(a API) bool { return (a.Protocol == "REST") != rest })
}

// apiPage cuts one page out of a list.
func apiPage[T any](all []T, token string, size *int, def, most int) (out []T, next string, err *apiError) {
	limit := def
	if size != nil {
		if limit = *size; limit < 1 || limit > most {
			return nil, "", errf("BadRequestException", "The number of results must be between 1 and %d", most)
		}
	}
	start, ok := readToken("apigateway", token)
	if !ok || start > len(all) {
		return nil, "", errf("BadRequestException", "Invalid token specified")
	}
	end := min(start+limit, len(all))
	if end < len(all) {
		next = makeToken("apigateway", end)
	}
	return all[start:end], next, nil
}

type apiOutput struct {
	ID        string            `aws:"apiId"`
	Endpoint  string            `aws:"apiEndpoint"`
	Name      string            `aws:"name"`
	About     string            `aws:"description"`
	Protocol  string            `aws:"protocolType"`
	Selection string            `aws:"routeSelectionExpression"`
	KeySource string            `aws:"apiKeySelectionExpression"`
	Created   string            `aws:"createdDate"` // this version writes dates as text
	Disabled  bool              `aws:"disableExecuteApiEndpoint,keep"`
	Tags      map[string]string `aws:"tags,keep"`
}

func (s *Sim) apiOutput(a API) apiOutput {
	scheme, selection := "https://", "$request.method $request.path"
	if a.Protocol == "WEBSOCKET" {
		scheme, selection = "wss://", "$request.body.action"
	}
	return apiOutput{
		ID: a.ID, Endpoint: scheme + a.ID + ".execute-api." + s.region + ".amazonaws.com", Name: a.Name, About: a.Description, Protocol: a.Protocol,
		Selection: selection, KeySource: "$request.header.x-api-key", Created: a.Created.UTC().Format(time.RFC3339),
	}
}

func getAPIs(c *call, in *apiInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	all, next, err := apiPage(c.sim.apisOf(false), in.NextToken, in.MaxResults, 100, 500)
	if err != nil {
		return nil, err
	}
	out := struct {
		Items []apiOutput `aws:"items,keep"`
		Next  string      `aws:"nextToken"`
	}{Next: next}
	for _, a := range all {
		out.Items = append(out.Items, c.sim.apiOutput(a))
	}
	return out, nil
}

func getAPI(c *call, in *apiInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	a, err := c.api(in.API, false)
	if err != nil {
		return nil, err
	}
	return c.sim.apiOutput(a), nil
}

type jwtConfiguration struct {
	Audience []string `aws:"audience"`
	Issuer   string   `aws:"issuer"`
}

type authorizerOutput struct {
	ID      string            `aws:"authorizerId"`
	Name    string            `aws:"name"`
	Type    string            `aws:"authorizerType"`
	URI     string            `aws:"authorizerUri"`
	Source  []string          `aws:"identitySource,keep"`
	JWT     *jwtConfiguration `aws:"jwtConfiguration"`
	Payload string            `aws:"authorizerPayloadFormatVersion"`
}

// invocation is how API Gateway writes the function of an authorizer.
func (s *Sim) invocation(function string) string {
	if function == "" {
		return ""
	}
	return "arn:aws:apigateway:" + s.region + ":lambda:path/2015-03-31/functions/" + function + "/invocations"
}

func (s *Sim) authorizerOutput(z Authorizer) authorizerOutput {
	o := authorizerOutput{ID: z.ID, Name: z.Name, Type: z.Type, URI: s.invocation(z.Function), Source: []string{cmp.Or(z.Source, "$request.header.Authorization")}}
	if z.Type == "JWT" {
		o.JWT = &jwtConfiguration{z.Audience, z.Issuer}
	} else {
		o.Payload = "2.0"
	}
	return o
}

func getAuthorizers(c *call, in *apiInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	a, err := c.api(in.API, false)
	if err != nil {
		return nil, err
	}
	all, next, err := apiPage(a.Authorizers, in.NextToken, in.MaxResults, 100, 500)
	if err != nil {
		return nil, err
	}
	out := struct {
		Items []authorizerOutput `aws:"items,keep"`
		Next  string             `aws:"nextToken"`
	}{Next: next}
	for _, z := range all {
		out.Items = append(out.Items, c.sim.authorizerOutput(z))
	}
	return out, nil
}

// authorizer finds one authorizer; the caller holds s.mu.
func (c *call) authorizer(in *apiInput, rest bool) (Authorizer, *apiError) {
	a, err := c.api(in.API, rest)
	if err != nil {
		return Authorizer{}, err
	}
	i := slices.IndexFunc(a.Authorizers, func(z Authorizer) bool { return z.ID == in.Authorizer })
	if i < 0 {
		return Authorizer{}, apiError404("Invalid Authorizer identifier specified")
	}
	return a.Authorizers[i], nil
}

func getAuthorizer(c *call, in *apiInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	z, err := c.authorizer(in, false)
	if err != nil {
		return nil, err
	}
	return c.sim.authorizerOutput(z), nil
}

type restAPIOutput struct {
	ID        string    `aws:"id"`
	Name      string    `aws:"name"`
	About     string    `aws:"description"`
	Created   time.Time `aws:"createdDate"`
	KeySource string    `aws:"apiKeySource"`
	Endpoint  struct {
		Types []string `aws:"types"`
	} `aws:"endpointConfiguration"`
	Disabled bool `aws:"disableExecuteApiEndpoint,keep"`
}

func restAPI(a API) restAPIOutput {
	o := restAPIOutput{ID: a.ID, Name: a.Name, About: a.Description, Created: a.Created, KeySource: "HEADER"}
	o.Endpoint.Types = []string{"REGIONAL"}
	return o
}

func getRestAPIs(c *call, in *apiInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	all, next, err := apiPage(c.sim.apisOf(true), in.Position, in.Limit, 25, 500)
	if err != nil {
		return nil, err
	}
	out := struct {
		Items    []restAPIOutput `aws:"item,keep"`
		Position string          `aws:"position"`
	}{Position: next}
	for _, a := range all {
		out.Items = append(out.Items, restAPI(a))
	}
	return out, nil
}

func getRestAPI(c *call, in *apiInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	a, err := c.api(in.API, true)
	if err != nil {
		return nil, err
	}
	return restAPI(a), nil
}

type restAuthorizerOutput struct {
	ID     string   `aws:"id"`
	Name   string   `aws:"name"`
	Type   string   `aws:"type"`
	Pools  []string `aws:"providerARNs"`
	Kind   string   `aws:"authType"`
	URI    string   `aws:"authorizerUri"`
	Source string   `aws:"identitySource"`
	TTL    int      `aws:"authorizerResultTtlInSeconds"`
}

func (s *Sim) restAuthorizer(z Authorizer) restAuthorizerOutput {
	kind := "custom"
	if z.Type == "COGNITO_USER_POOLS" {
		kind = "cognito_user_pools"
	}
	return restAuthorizerOutput{z.ID, z.Name, z.Type, z.Pools, kind, s.invocation(z.Function), cmp.Or(z.Source, "method.request.header.Authorization"), 300}
}

func getRestAuthorizers(c *call, in *apiInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	a, err := c.api(in.API, true)
	if err != nil {
		return nil, err
	}
	all, next, err := apiPage(a.Authorizers, in.Position, in.Limit, 25, 500)
	if err != nil {
		return nil, err
	}
	out := struct {
		Items    []restAuthorizerOutput `aws:"item,keep"`
		Position string                 `aws:"position"`
	}{Position: next}
	for _, z := range all {
		out.Items = append(out.Items, c.sim.restAuthorizer(z))
	}
	return out, nil
}

func getRestAuthorizer(c *call, in *apiInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	z, err := c.authorizer(in, true)
	if err != nil {
		return nil, err
	}
	return c.sim.restAuthorizer(z), nil
}
