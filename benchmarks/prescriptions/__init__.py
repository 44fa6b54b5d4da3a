"""Whether the first prescription of a diagnosis makes a sick study better than noise can."""
