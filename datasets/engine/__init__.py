"""Pure rules about cases: values in, values out; no Django, no clock, no chance."""
