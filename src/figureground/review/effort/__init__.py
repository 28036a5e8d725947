"""What a mask costs in clicks and keys: an annotator who knows the truth works as the mask screen allows, and by polygons alone."""
