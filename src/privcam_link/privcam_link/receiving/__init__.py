"""The receiving end of the wire: quotas, order in time and number, and pictures, of one camera each."""
