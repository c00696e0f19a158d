package awssim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// AddFunction adds or replaces a Lambda function.
func (s *Sim) AddFunction(f Function) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range []struct {
		field *string
		value string
	}{
		{&f.Runtime, "python3.12"}, {&f.Handler, "lambda_function.lambda_handler"}, {&f.State, "Active"}, {&f.LastUpdate, "Successful"},
		{&f.LogGroup, "/aws/lambda/" + f.Name}, {&f.Role, "arn:aws:iam::" + s.account + ":role/" + f.Name},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if f.Timeout == 0 {
		f.Timeout = 30 * time.Second
	}
	if f.MemoryMB == 0 {
		f.MemoryMB = 128
	}
	if f.LastModified.IsZero() {
		f.LastModified = s.now().AddDate(0, 0, -90)
	}
	f.SubnetIDs, f.SecurityGroups = slices.Clone(f.SubnetIDs), slices.Clone(f.SecurityGroups)
	s.functions[f.Name] = f
}

// FunctionARN is the ARN of a function of that name.
func (s *Sim) FunctionARN(name string) string { return s.arn("lambda", "function:"+name) }

// InvokePolicy is the usual resource policy: Secrets Manager may invoke the
// function.
func (s *Sim) InvokePolicy(function string) string {
	b, _ := json.Marshal(map[string]any{
		"Version": "2012-10-17", "Id": "default",
		"Statement": []any{map[string]any{
			"Sid": "SecretsManagerAccess", "Effect": "Allow", "Action": "lambda:InvokeFunction",
			"Principal": map[string]any{"Service": "secretsmanager.amazonaws.com"}, "Resource": s.FunctionARN(function),
		}},
	})
	return string(b)
}

// functionName takes NAME out of NAME, ACCOUNT:function:NAME, and the ARN, each
// with or without a qualifier.
func functionName(id string) string {
	if _, rest, ok := strings.Cut(id, "function:"); ok {
		id = rest
	}
	name, _, _ := strings.Cut(id, ":")
	return name
}

// lambdaRoute names the operation that a path stands for, with its input.
// Paths that stand for none have no name.
func lambdaRoute(r *http.Request) (string, map[string]any) {
	in := map[string]any{}
	for k, v := range r.URL.Query() {
		in[k] = queryText(v[0])
	}
	f := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	if len(f) < 2 || f[1] != "functions" {
		return "", in
	}
	if len(f) > 2 {
		name, err := url.PathUnescape(f[2])
		if err != nil {
			return "", in
		}
		in["FunctionName"] = name
	}
	path := r.Method + " " + f[0] + "/" + strings.Join(f[min(3, len(f)):], "/")
	switch {
	case len(f) == 2 && path == "GET 2015-03-31/":
		return "ListFunctions", in
	case len(f) == 3 && path == "GET 2015-03-31/":
		return "GetFunction", in
	case path == "GET 2015-03-31/configuration":
		return "GetFunctionConfiguration", in
	case path == "PUT 2015-03-31/configuration":
		return "UpdateFunctionConfiguration", in
	case path == "GET 2015-03-31/policy":
		return "GetPolicy", in
	case path == "GET 2019-09-30/concurrency":
		return "GetFunctionConcurrency", in
	case path == "POST 2015-03-31/invocations":
		return "Invoke", in
	}
	return "", in
}

func lambdaOperations() []operation {
	invoke := define("lambda", "Invoke", invokeFunction)
	invoke.action = "lambda:InvokeFunction"
	return []operation{
		define("lambda", "GetFunctionConfiguration", getFunctionConfiguration),
		define("lambda", "UpdateFunctionConfiguration", updateFunctionConfiguration),
		define("lambda", "GetFunction", getFunction),
		define("lambda", "GetFunctionConcurrency", getFunctionConcurrency),
		define("lambda", "GetPolicy", getPolicy),
		define("lambda", "ListFunctions", listFunctions),
		invoke,
	}
}

type functionInput struct{ FunctionName, Qualifier, InvocationType string }

func (c *call) function(id string) (Function, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.functions[functionName(id)]
	if !ok {
		return f, statusf(http.StatusNotFound, "ResourceNotFoundException", "Function not found: %s", s.FunctionARN(clip(functionName(id), 140)))
	}
	return f, nil
}

type functionConfiguration struct {
	FunctionName, FunctionArn, Runtime, Role, Handler   string
	CodeSize                                            int
	Description                                         string `aws:",keep"`
	Timeout, MemorySize                                 int
	LastModified, CodeSha256, Version, KMSKeyArn        string
	VpcConfig                                           *vpcConfig
	State, StateReason, StateReasonCode                 string
	LastUpdateStatus, LastUpdateStatusReason            string
	LastUpdateStatusReasonCode, PackageType, RevisionId string
	Architectures                                       []string
	TracingConfig                                       struct{ Mode string }
	LoggingConfig                                       struct{ LogFormat, LogGroup string }
}

type vpcConfig struct {
	SubnetIds        []string `aws:",keep"`
	SecurityGroupIds []string `aws:",keep"`
	VpcId            string   `aws:",keep"`
}

func (s *Sim) configuration(f Function) functionConfiguration {
	sum := s.digest("code", f.Name)
	c := functionConfiguration{
		FunctionName: f.Name, FunctionArn: s.FunctionARN(f.Name), Runtime: f.Runtime, Role: f.Role, Handler: f.Handler,
		CodeSize: 10240 + int(sum[0])*16, Description: f.Description, Timeout: int(f.Timeout / time.Second), MemorySize: f.MemoryMB,
		LastModified: f.LastModified.UTC().Format("2006-01-02T15:04:05.000-0700"), CodeSha256: base64Text(sum[:]), Version: "$LATEST",
		KMSKeyArn: f.KMSKey, State: f.State, StateReason: f.StateReason, StateReasonCode: f.StateReasonCode,
		LastUpdateStatus: f.LastUpdate, LastUpdateStatusReason: f.LastUpdateReason, LastUpdateStatusReasonCode: f.LastUpdateCode,
		PackageType: "Zip", RevisionId: s.uuid("revision", f.Name), Architectures: []string{"x86_64"},
	}
	if len(f.SubnetIDs) > 0 {
		c.VpcConfig = &vpcConfig{f.SubnetIDs, f.SecurityGroups, f.VPC}
	}
	c.TracingConfig.Mode = "PassThrough"
	c.LoggingConfig.LogFormat, c.LoggingConfig.LogGroup = "Text", f.LogGroup
	return c
}

func getFunctionConfiguration(c *call, in *functionInput) (any, *apiError) {
	f, err := c.function(in.FunctionName)
	if err != nil {
		return nil, err
	}
	return c.sim.configuration(f), nil
}

type concurrency struct {
	ReservedConcurrentExecutions *int
}

func getFunction(c *call, in *functionInput) (any, *apiError) {
	f, err := c.function(in.FunctionName)
	if err != nil {
		return nil, err
	}
	out := struct {
		Configuration functionConfiguration
		Code          struct{ RepositoryType string }
		Concurrency   *concurrency
	}{Configuration: c.sim.configuration(f)}
	out.Code.RepositoryType = "S3"
	if f.Reserved != nil {
		out.Concurrency = &concurrency{f.Reserved}
	}
	return out, nil
}

func getFunctionConcurrency(c *call, in *functionInput) (any, *apiError) {
	f, err := c.function(in.FunctionName)
	if err != nil {
		return nil, err
	}
	return concurrency{f.Reserved}, nil
}

func getPolicy(c *call, in *functionInput) (any, *apiError) {
	f, err := c.function(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if f.Policy == "" {
		return nil, statusf(http.StatusNotFound, "ResourceNotFoundException", "The resource you requested does not exist.")
	}
	return struct{ Policy, RevisionId string }{f.Policy, c.sim.uuid("policy", f.Name)}, nil
}

func listFunctions(c *call, in *struct {
	Marker   string
	MaxItems *int
}) (any, *apiError) {
	s := c.sim
	limit := 50
	if in.MaxItems != nil {
		limit = min(*in.MaxItems, 50)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.functions))
	start, ok := readToken("functions", in.Marker)
	if !ok || start > len(names) || limit < 1 {
		return nil, errf("InvalidParameterValueException", "The marker or the number of items is not valid")
	}
	out := struct {
		Functions  []functionConfiguration `aws:",keep"`
		NextMarker string
	}{}
	end := min(start+limit, len(names))
	for _, n := range names[start:end] {
		out.Functions = append(out.Functions, s.configuration(s.functions[n]))
	}
	if end < len(names) {
		out.NextMarker = makeToken("functions", end)
	}
	return out, nil
}

func invokeFunction(c *call, in *functionInput) (any, *apiError) {
	// The invocation type travels in a header, not in the path.
	kind := c.http.Header.Get("X-Amz-Invocation-Type")
	f, err := c.function(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if len(c.body) > 0 && !json.Valid(c.body) {
		return nil, errf("InvalidRequestContentException", "Could not parse request body into json")
	}
	if err := c.sim.mayRun(f); err != nil {
		return nil, err
	}
	switch kind {
	case "", "RequestResponse":
		reply := raw{status: http.StatusOK, headers: map[string]string{"X-Amz-Executed-Version": "$LATEST"}, body: []byte("null")}
		if err := c.sim.runFunction(f.Name, c.body); err != nil {
			reply.headers["X-Amz-Function-Error"] = "Unhandled"
			reply.body, _ = json.Marshal(map[string]string{"errorMessage": err.Error(), "errorType": "Exception"})
		}
		return reply, nil
	case "Event":
		c.sim.running.run(func() { _ = c.sim.runFunction(f.Name, c.body) })
		return raw{status: http.StatusAccepted}, nil
	case "DryRun":
		return raw{status: http.StatusNoContent}, nil
	}
	return nil, errf("InvalidParameterValueException", "Invalid invocation type")
}

// mayRun says why Lambda would not even start the function.
func (s *Sim) mayRun(f Function) *apiError {
	if f.Reserved != nil && *f.Reserved == 0 {
		s.Metrics.Add("AWS/Lambda", "Throttles", map[string]string{"FunctionName": f.Name}, s.now(), 1)
		e := statusf(http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
		e.reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
		return e
	}
	if f.State != "Active" {
		return statusf(http.StatusConflict, "ResourceConflictException", "The operation cannot be performed at this time. The function is currently in the following state: %s", f.State)
	}
	return nil
}

// runFunction calls the hook and leaves the traces that Lambda leaves: metrics
// and log lines.
func (s *Sim) runFunction(name string, event []byte) error {
	s.mu.Lock()
	hook, f := s.invoke, s.functions[name]
	id := s.uuid("invocation", s.next())
	s.mu.Unlock()
	began := s.now()
	var err error
	if hook == nil {
		err = fmt.Errorf("no code is installed for function %s", name)
	} else {
		err = hook(name, event)
	}
	ended := s.now()
	dims := map[string]string{"FunctionName": name}
	failed := 0.0
	lines := []string{"START RequestId: " + id + " Version: $LATEST"}
	if err != nil {
		failed = 1
		lines = append(lines, "[ERROR] "+err.Error())
	}
	ms := float64(ended.Sub(began).Microseconds()) / 1e3
	lines = append(lines, "END RequestId: "+id, fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tMemory Size: %d MB", id, ms, f.MemoryMB))
	s.Metrics.Add("AWS/Lambda", "Invocations", dims, began, 1)
	s.Metrics.Add("AWS/Lambda", "Errors", dims, began, failed)
	s.Metrics.Add("AWS/Lambda", "Throttles", dims, began, 0)
	s.Metrics.Add("AWS/Lambda", "Duration", dims, began, ms)
	for _, l := range lines {
		s.AddLog(LogEvent{Group: f.LogGroup, Stream: began.Format("2006/01/02") + "/[$LATEST]" + strings.ReplaceAll(s.uuid("stream", name), "-", ""), At: ended, Message: l})
	}
	return err
}
