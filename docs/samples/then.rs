// Afterwards does what stands behind the name.
// the sample
ARGUMENT;
