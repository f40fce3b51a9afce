"""What readers dispute, what an adjudicator decides, and what then stands."""
