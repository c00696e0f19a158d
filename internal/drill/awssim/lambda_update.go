package awssim

import (
	"slices"
	"time"
)

// updateFunctionConfiguration changes what it is given of a function and leaves
// the rest.
func updateFunctionConfiguration(c *call, in *struct {
	FunctionName, Role, Handler, Runtime, KMSKeyArn string
	Description                                     *string
	Timeout, MemorySize                             *int
	VpcConfig                                       *vpcConfig
}) (any, *apiError) {
	if t := in.Timeout; t != nil && (*t < 1 || *t > 900) {
		return nil, errf("InvalidParameterValueException", "1 validation error detected: Value '%d' at 'timeout' failed to satisfy constraint: Member must have value between 1 and 900", *t)
	}
	if m := in.MemorySize; m != nil && (*m < 128 || *m > 10240) {
		return nil, errf("InvalidParameterValueException", "1 validation error detected: Value '%d' at 'memorySize' failed to satisfy constraint: Member must have value between 128 and 10240", *m)
	}
	if _, err := c.function(in.FunctionName); err != nil {
		return nil, err
	}
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[functionName(in.FunctionName)]
	for _, field := range []struct {
		to   *string
		from string
	}{{&f.Role, in.Role}, {&f.Handler, in.Handler}, {&f.Runtime, in.Runtime}, {&f.KMSKey, in.KMSKeyArn}} {
		if field.from != "" {
			*field.to = field.from
		}
	}
	if in.Description != nil {
		f.Description = *in.Description
	}
	if in.Timeout != nil {
		f.Timeout = time.Duration(*in.Timeout) * time.Second
	}
	if in.MemorySize != nil {
		f.MemoryMB = *in.MemorySize
	}
	if v := in.VpcConfig; v != nil {
		f.SubnetIDs, f.SecurityGroups = slices.Clone(v.SubnetIds), slices.Clone(v.SecurityGroupIds)
	}
	f.LastModified = s.now()
	s.functions[f.Name] = f
	return s.configuration(f), nil
}
